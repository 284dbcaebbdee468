import Testing

@testable import LightsOutService

struct `Mount points that are required` {
    @Test(arguments: [
        ("/mnt/usb", "/mnt/usb"), ("/mnt/usb/", "/mnt/usb"), ("/mnt//usb//", "/mnt/usb"), ("/./mnt/./usb", "/mnt/usb"),
        ("/", "/"), ("//", "/"),
    ])
    func `are found however their path is written`(path: String, kernels: String) {
        #expect(MountTable.canonical(path) == kernels)
    }
}
