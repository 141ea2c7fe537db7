import MoECore
import MoEServer
import Testing

/// Which names a template reads.
@Suite struct TemplateNamesTests {
  @Test(arguments: [
    ("{% if enable_thinking is defined and not enable_thinking %}", "enable_thinking", true),
    ("{{ enable_thinking|default(true) }}", "enable_thinking", true),
    ("{%- set ns.on = (thinking) -%}", "thinking", true),
    ("{{- message.thinking -}}", "thinking", false), ("{{ 'thinking' }}", "thinking", false),
    ("In thinking mode {{ x }}", "thinking", false), ("{{ x }} thinking {{ y }}", "y", true),
    ("{{ x['thinking'] ~ \"it's\" ~ thinking }}", "thinking", true), ("{{ open", "open", false),
    ("{{ thinking_budget }}", "thinking", false), ("", "", false),
  ])
  func areFound(_ template: String, _ name: String, _ isRead: Bool) {
    #expect(TemplateNames.all(in: template).contains(name) == isRead)
  }
}
