/// Exit statuses of the command that are no results, in the terms of sysexits(3).
public enum ExitStatus {
    /// The call's own words are wrong (EX_USAGE).
    public static let usage: Int32 = 64
    /// The daemon or logind cannot be reached (EX_UNAVAILABLE).
    public static let unavailable: Int32 = 69
    /// Not now, try later (EX_TEMPFAIL): it runs already, or waits for power or a mount.
    public static let tryLater: Int32 = 75
    /// Not allowed (EX_NOPERM).
    public static let notAllowed: Int32 = 77
    /// The configuration or a script is at fault (EX_CONFIG).
    public static let configuration: Int32 = 78
}
