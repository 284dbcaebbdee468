import ArgumentParser

extension CompletionKind {
    /// The names of the backups that there are.
    static var backupNames: CompletionKind { .shellCommand("lightsout names 2>/dev/null") }
}
