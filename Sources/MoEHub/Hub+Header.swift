#if TLS
  import MoECore
  import MoEFormats
  import MoEPlatform

  extension Hub {
    /// How much of a file is asked for first, and up to where next while its header goes on.
    private static let headerSteps = [1 << 20, 8 << 20, 32 << 20, 128 << 20]

    /// The header of a GGUF file at the hub and whatever came with it; the weights stay there.
    package func header(
      of file: HubFile, in listing: HubListing
    ) async throws(HubError) -> [UInt8] {
      var bytes: [UInt8] = []
      for end in Self.headerSteps {
        let end = min(end, file.byteCount)
        if end > bytes.count {
          bytes += try await self.bytes(bytes.count..<end, of: file, in: listing)
        }
        do throws(FormatError) {
          _ = try GGUFHeader(bytes: bytes, fileByteCount: file.byteCount, path: file.path)
          return bytes
        } catch {
          guard error.kind == .truncated, end < file.byteCount else { throw .format(error) }
        }
      }
      throw .badAnswer(
        what: file.path, wanted: "a header of at most \(ByteSize(Self.headerSteps[3]))",
        found: "more")
    }

    /// Some bytes of a file, which a server may refuse to cut out of it: then what comes before
    /// them is taken, too, and nothing behind them.
    private func bytes(
      _ range: Range<Int>, of file: HubFile, in listing: HubListing
    ) async throws(HubError) -> [UInt8] {
      let model = listing.model
      let names = file.path.split(separator: "/").map(String.init)
      guard
        let address = address([model.owner, model.name, "resolve", listing.commit] + names, nil)
      else { throw .badName(file.path) }
      let subject = subject("\(model.path)/\(file.path)", of: model)
      return try await retrying { [transport] () throws(HubError) in
        let headers = [("Range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")]
        let answer = try await transport.get(address, headers: headers, subject)
        let isWhole = answer.status == 200
        if !isWhole, answer.contentRange?.bytes != range.lowerBound...range.upperBound - 1 {
          throw .badAnswer(
            what: file.path, wanted: "its bytes \(range.lowerBound) to \(range.upperBound - 1)",
            found: (answer.header("content-range") ?? "no range").quotedForMessage)
        }
        let count = isWhole ? range.upperBound : range.count
        let bytes = try await answer.bytes(atMost: count, of: file.path)
        guard bytes.count == count else {
          throw .dropped(what: file.path, reason: "it ended after \(bytes.count) bytes")
        }
        return isWhole ? Array(bytes[range]) : bytes
      }
    }

    /// Writes what a model looks like to who reads its headers alone: its files with their names
    /// and sizes, and nothing where the weights would be.
    ///
    /// - Returns: The path of the one to open, in the folder.
    package func writeHeaders(
      of variant: ModelVariant, in listing: HubListing, to folder: String
    ) async throws(HubError) -> String {
      if let missing = variant.missingPath { throw .missingShard(path: missing) }
      for file in variant.files {
        let bytes = try await header(of: file, in: listing)
        do throws(FileError) {
          let copy = try ReplacementFile("\(folder)/\(file.name)")
          try copy.write(bytes.span)
          try copy.truncate(to: file.byteCount)
          try copy.commit()
        } catch {
          throw .file(error)
        }
      }
      return "\(folder)/\(variant.files[0].name)"
    }
  }

  extension HubFile {
    /// Without the folders that it is in.
    package var name: String { String(path.split(separator: "/").last ?? "") }
  }
#endif
