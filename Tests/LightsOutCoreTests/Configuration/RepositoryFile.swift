import Foundation

/// A file of the repository by its path from the top.
struct RepositoryFile {
    let url: URL

    init(_ path: String, testFile: String = #filePath) {
        // …/Tests/LightsOutCoreTests/Configuration/RepositoryFile.swift
        url = (0..<4).reduce(URL(fileURLWithPath: testFile)) { url, _ in url.deletingLastPathComponent() }
            .appendingPathComponent(path)
    }

    var text: String {
        get throws { try String(contentsOf: url, encoding: .utf8) }
    }
}
