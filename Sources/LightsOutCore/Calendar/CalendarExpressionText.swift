extension CalendarExpression: CustomStringConvertible {
    /// The normalised form, as `systemd-analyze calendar` prints it. Read again it gives the same expression.
    public var description: String {
        var text = ""
        if weekdays != .all { text += weekdays.description + " " }
        text.append(years, width: 4)
        text += "-"
        text.append(months, width: 2)
        text += daysCountFromEnd ? "~" : "-"
        text.append(days, width: 2)
        text += " "
        text.append(hours, width: 2)
        text += ":"
        text.append(minutes, width: 2)
        text += ":"
        text.append(seconds: seconds)
        switch zone {
        case .local: break
        case .utc: text += " UTC"
        case .named(let rules): text += " " + rules.name
        }
        return text
    }
}

extension WeekdaySet: CustomStringConvertible {
    /// `Mon..Thu,Sat,Sun`: three days or more in a row are a range.
    var description: String {
        var parts: [String] = []
        var run: [Weekday] = []
        for day in Weekday.allCases + [nil] {
            if let day, contains(day) {
                run.append(day)
                continue
            }
            if run.count > 2, let first = run.first, let last = run.last {
                parts.append(first.abbreviation + ".." + last.abbreviation)
            } else {
                parts += run.map(\.abbreviation)
            }
            run = []
        }
        return parts.joined(separator: ",")
    }
}

extension String {
    fileprivate mutating func append(_ list: [CalendarComponent], width: Int) {
        if list.isEmpty { append("*") }
        for (index, component) in list.enumerated() {
            if index > 0 { append(",") }
            append(component.first, width: width)
            if let last = component.last {
                append("..")
                append(last, width: width)
            }
            // A range goes by ones where nothing else is said.
            if component.step > 0, component.last == nil || component.step != 1 {
                append("/")
                append(String(component.step))
            }
        }
    }

    /// The values are microseconds.
    fileprivate mutating func append(seconds list: [CalendarComponent]) {
        let second = Int(CivilTime.second)
        if list == [.everySecond] {
            append("*")
            return
        }
        for (index, component) in list.enumerated() {
            if index > 0 { append(",") }
            append(microseconds: component.first, width: 2)
            if let last = component.last {
                append("..")
                append(microseconds: last, width: 2)
            }
            if component.step > 0, component.last == nil || component.step != second {
                append("/")
                append(microseconds: component.step, width: 1)
            }
        }
    }

    private mutating func append(microseconds: Int, width: Int) {
        let (seconds, fraction) = microseconds.quotientAndRemainder(dividingBy: Int(CivilTime.second))
        append(seconds, width: width)
        if fraction > 0 {
            append(".")
            append(fraction, width: 6)
        }
    }
}

extension CalendarComponent {
    /// `*` in the place of the seconds: each full one.
    static let everySecond = CalendarComponent(first: 0, last: nil, step: Int(CivilTime.second))
}
