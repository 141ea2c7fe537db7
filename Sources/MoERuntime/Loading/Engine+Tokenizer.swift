import MoEFormats
public import MoETokenizer

extension Engine {
  /// The tokenizer of a model, from the file's header alone; the model itself may be one that the
  /// engine can't run.
  public static func tokenizer(ofModelAt path: String) throws(EngineError) -> Tokenizer {
    let file: any StoredModel
    do {
      file = try FormatRegistry.open(path)
    } catch {
      throw .format(error)
    }
    do {
      return try Tokenizer(metadata: file)
    } catch {
      throw .tokenizer(error)
    }
  }
}
