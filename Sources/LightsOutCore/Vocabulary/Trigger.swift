/// What made a run begin.
public enum Trigger: String, Hashable, Sendable, CaseIterable {
    case manual, schedule
    case catchUp = "catch-up"
    case retry, report
}
