import MoECore

extension Endpoint {
  /// What clients of these interfaces may ask for and is not here.
  static let notOffered = [
    "/embeddings", "/embedding", "/rerank", "/reranking", "/moderations", "/images/generations",
    "/images/edits", "/images/variations", "/audio/speech", "/audio/transcriptions",
    "/audio/translations", "/infill", "/files", "/batches", "/fine_tuning/jobs", "/uploads",
    "/lora-adapters",
  ].map { path in
    Endpoint(
      method: .post, path: path, summary: "Is not offered.", family: "Not offered"
    ) { _ in
      throw APIError(
        status: 501, type: "not_implemented_error",
        message: "\(path) is not offered: this server writes text (/v1/chat/completions, "
          + "/v1/completions, /v1/responses, /v1/messages)", code: "not_offered")
    }
  }
}
