import ArgumentParser

/// Whether texts may name special tokens.
struct SpecialTokenOptions: ParsableArguments {
  @Flag(
    name: .customLong("parse-special"),
    help: """
      Read names of special tokens in the text as those tokens, as in a prompt written for a chat \
      model's template.
      """)
  var parsesSpecial = false
}
