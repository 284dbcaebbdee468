import LightsOutCore
import Testing

@Suite struct RecordTrustTests {
    private func believes(_ fields: [String: String], _ trust: RecordTrust = RecordTrust()) -> Bool {
        trust.believes { fields[$0] }
    }

    @Test(arguments: [
        ["_SYSTEMD_UNIT": "lightsout-backup@server.service"], ["_SYSTEMD_UNIT": "lightsoutd.service"],
        ["_SYSTEMD_UNIT": "session-3.scope", "_EXE": "/usr/bin/lightsout"],
        ["_SYSTEMD_UNIT": "cron.service", "_EXE": "/usr/bin/lightsout (deleted)"],
        // It had ended before journald looked.
        [:],
    ])
    func `root's records from our units and programs are believed`(origin: [String: String]) {
        #expect(believes(origin.merging(["_UID": "0"]) { $1 }))
    }

    @Test(arguments: ["1000", "", "00", "0x0", "-0"])
    func `nobody else's are, whatever they say of themselves`(user: String) {
        #expect(!believes(["_UID": user, "_SYSTEMD_UNIT": "lightsout-backup@server.service", "_EXE": "/usr/bin/lightsout"]))
    }

    @Test func `a record without an account of its writer is not believed`() {
        #expect(!believes(["UID": "0", "_SYSTEMD_UNIT": "lightsoutd.service"]))
    }

    @Test(arguments: [
        ["_SYSTEMD_UNIT": "docker.service", "_EXE": "/usr/bin/dockerd"],
        ["_SYSTEMD_UNIT": "lightsout-backup@..service"], ["_SYSTEMD_UNIT": "lightsout-backup@a/b.service"],
        ["_SYSTEMD_UNIT": "my-lightsoutd.service"], ["_EXE": "/home/eve/lightsout"],
    ])
    func `what other programs of root's pass on is not believed`(origin: [String: String]) {
        #expect(!believes(origin.merging(["_UID": "0"]) { $1 }))
    }

    @Test func `in a trial the records of who makes it count, from the program that makes it`() {
        let trust = RecordTrust(users: [0, 1000], program: "/home/me/lightsout")
        #expect(believes(["_UID": "1000", "_EXE": "/home/me/lightsout"], trust))
        #expect(!believes(["_UID": "1001", "_EXE": "/home/me/lightsout"], trust))
        #expect(trust.trustedUsers == ["0", "1000"])
    }
}
