import CSystemd
import Glibc

/// Reads the systemd journal (sd-journal(3)).
///
/// The reader stands between records; ``previous()`` and ``next()`` move it onto one.
public final class JournalReader {
    private nonisolated struct Handle: ~Copyable {
        let raw: OpaquePointer
        deinit { sd_journal_close(raw) }
    }

    private let handle: Handle
    private var raw: OpaquePointer { handle.raw }

    /// Where records come from.
    public enum Source {
        /// This machine's journal, runtime and persistent.
        case local
        /// The same with all journal namespaces (LogNamespace= of systemd.exec(5)).
        case allNamespaces
        /// The journal files below a directory, such as systemd-journal-remote(8) collects.
        case directory(String)
    }

    public init(_ source: Source = .local) throws(SystemError) {
        var raw: OpaquePointer?
        let operation: String
        switch source {
        case .local:
            operation = "open the journal"
            try check(sd_journal_open(&raw, Int32(SD_JOURNAL_LOCAL_ONLY)), operation)
        case .allNamespaces:
            operation = "open the journal"
            try check(
                sd_journal_open_namespace(&raw, nil, Int32(SD_JOURNAL_LOCAL_ONLY) | Int32(SD_JOURNAL_ALL_NAMESPACES)), operation)
        case .directory(let path):
            operation = "open the journal in \(path)"
            try check(sd_journal_open_directory(&raw, path, 0), operation)
        }
        guard let raw else { throw SystemError(code: ENOMEM, operation: operation) }
        handle = Handle(raw: raw)
        // No field of ours is longer; a hostile record's field is cut here, not in our memory.
        try check(sd_journal_set_data_threshold(handle.raw, 64 * 1024), "limit the journal's fields")
    }

    /// Wants records with `field=value`; several values of one field are alternatives, several fields all count.
    public func match(_ field: String, _ value: String) throws(SystemError) {
        let match = "\(field)=\(value)"
        try check(sd_journal_add_match(raw, match, match.utf8.count), "match \(match) in the journal")
    }

    public func seekToEnd() throws(SystemError) { try check(sd_journal_seek_tail(raw), "seek in the journal") }
    public func seekToStart() throws(SystemError) { try check(sd_journal_seek_head(raw), "seek in the journal") }
    /// Goes between the records before and after `time`, microseconds since 1970.
    public func seek(to time: UInt64) throws(SystemError) {
        try check(sd_journal_seek_realtime_usec(raw, time), "seek in the journal")
    }

    /// Moves onto the next older record.
    /// - Returns: whether there is one.
    public func previous() throws(SystemError) -> Bool { try check(sd_journal_previous(raw), "read the journal") > 0 }
    /// Moves onto the next younger record.
    /// - Returns: whether there is one.
    public func next() throws(SystemError) -> Bool { try check(sd_journal_next(raw), "read the journal") > 0 }

    /// The most bytes of a field that is read.
    public static let longestField = 8192

    /// The text of the field of the record at hand; nil where it has none, one that is no UTF-8, or one of more than
    /// ``longestField`` bytes.
    public func field(_ name: String) -> String? {
        var data: UnsafeRawPointer?
        var length = 0
        guard sd_journal_get_data(raw, name, &data, &length) >= 0, let data else { return nil }
        let prefix = name.utf8.count + 1
        guard length >= prefix, length - prefix <= Self.longestField else { return nil }
        return String(validating: UnsafeRawBufferPointer(start: data + prefix, count: length - prefix), as: UTF8.self)
    }

    /// When journald took the record, microseconds since 1970.
    public func realtime() throws(SystemError) -> UInt64 {
        var time: UInt64 = 0
        try check(sd_journal_get_realtime_usec(raw, &time), "read the time of a journal record")
        return time
    }

    /// What the journal's files take on disk, in bytes (sd_journal_get_usage(3)).
    public func usage() throws(SystemError) -> UInt64 {
        var bytes: UInt64 = 0
        try check(sd_journal_get_usage(raw, &bytes), "read the size of the journal")
        return bytes
    }

    /// The time of the oldest record, microseconds since 1970 (sd_journal_get_cutoff_realtime_usec(3)); nil for none.
    public func oldest() throws(SystemError) -> UInt64? {
        var from: UInt64 = 0
        let found = try check(sd_journal_get_cutoff_realtime_usec(raw, &from, nil), "read the age of the journal")
        return found > 0 ? from : nil
    }

}
