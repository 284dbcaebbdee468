// swift-tools-version: 6.2
import PackageDescription

/// Pure values: no isolation, so that any thread (and any test) may use them.
let pure: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

/// Everything that touches libsystemd runs on the one thread that runs the event loop: the main actor.
/// libsystemd's handles must be used and freed on the thread that made them (see docs/architecture.md).
let mainThread: [SwiftSetting] = pure + [
    .defaultIsolation(MainActor.self),
    .enableUpcomingFeature("InferIsolatedConformances"),
]

let package = Package(
    name: "lightsout",
    products: [
        .executable(name: "lightsout", targets: ["lightsout"]),
        .executable(name: "lightsoutd", targets: ["lightsoutd"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    ],
    targets: [
        .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "CLinux"),
        .target(name: "CSpawn"),
        .target(name: "Systemd", dependencies: ["CSystemd", "CLinux"], swiftSettings: mainThread),
        .target(name: "LightsOutCore", dependencies: ["CYAML", "CLinux"], swiftSettings: pure),
        .target(
            name: "LightsOutRunner",
            dependencies: ["LightsOutCore", "Systemd", "CLinux", "CSpawn"],
            swiftSettings: mainThread),
        .target(
            name: "LightsOutService",
            dependencies: ["LightsOutCore", "LightsOutRunner", "Systemd"],
            swiftSettings: mainThread),
        .executableTarget(
            name: "lightsout",
            dependencies: [
                "LightsOutCore", "LightsOutRunner", "LightsOutService", "Systemd",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            // ArgumentParser's types are parsed anywhere; what they do enters the main actor by itself.
            swiftSettings: pure),
        .executableTarget(
            name: "lightsoutd",
            dependencies: ["LightsOutCore", "LightsOutRunner", "LightsOutService", "Systemd"],
            swiftSettings: mainThread),
        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: pure),
        .testTarget(name: "LightsOutCoreTests", dependencies: ["LightsOutCore", "TestSupport"], swiftSettings: pure),
        .testTarget(name: "SystemdTests", dependencies: ["Systemd"], swiftSettings: mainThread),
        .testTarget(
            name: "LightsOutRunnerTests", dependencies: ["LightsOutRunner", "LightsOutCore", "TestSupport"],
            swiftSettings: mainThread),
        .testTarget(
            name: "LightsOutServiceTests", dependencies: ["LightsOutService", "LightsOutCore", "TestSupport"],
            swiftSettings: mainThread),
        .testTarget(
            name: "CommandTests",
            dependencies: ["lightsout", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: pure),
        .testTarget(name: "MachineTests", dependencies: ["LightsOutCore"], exclude: ["machine"], swiftSettings: pure),
    ]
)
