/// How a report's page looks: in light, in dark, and on paper.
///
/// The colours of lines are those of Okabe and Ito, which people tell apart who see fewer colours;
/// for the dark they are lighter. Shades of maps differ in lightness alone.
enum ReportStyle {
  static let sheet: StaticString = """
    :root {
      --page: #ffffff; --text: #1b1f24; --quiet: #57606a; --line: #d5d9de; --panel: #f4f6f8;
      --accent: #0072b2; --grey: #8a919a; --mist: #c9ced5;
      --c0: #0072b2; --c1: #d55e00; --c2: #00805c; --c3: #a8568a; --c4: #2b8fc4; --c5: #a06f00;
      --h0: #f1f3f5; --h1: #dbe8f3; --h2: #bcd7ea; --h3: #94c0df; --h4: #63a3cf; --h5: #3682ba;
      --h6: #155f99; --h7: #083a68;
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --page: #14171b; --text: #e4e7eb; --quiet: #a4adb8; --line: #363c44; --panel: #1d2127;
        --accent: #62b5ea; --grey: #7d8691; --mist: #49515b;
        --c0: #62b5ea; --c1: #ff9a57; --c2: #3fcfa2; --c3: #e79bc8; --c4: #8fd3f4; --c5: #e6b84a;
        --h0: #20252b; --h1: #1d3550; --h2: #1f4a70; --h3: #27628f; --h4: #3a80b3; --h5: #5da1cf;
        --h6: #93c5e6; --h7: #d3ebfb;
      }
    }
    * { box-sizing: border-box; }
    html { -webkit-text-size-adjust: 100%; }
    body {
      margin: 0; background: var(--page); color: var(--text);
      font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif;
    }
    header, main { max-width: 58rem; margin: 0 auto; padding: 0 1.25rem; }
    header { padding-top: 2.5rem; }
    main { padding-bottom: 4rem; }
    .kind { margin: 0; color: var(--quiet); }
    h1 { margin: 0 0 1rem; font-size: 2rem; line-height: 1.2; overflow-wrap: anywhere; }
    h2 { margin: 3rem 0 0.75rem; font-size: 1.4rem; line-height: 1.25; }
    h3 { margin: 1.5rem 0 0.5rem; font-size: 1.1rem; overflow-wrap: anywhere; }
    h4 { margin: 1rem 0 0.25rem; font-size: 0.9rem; color: var(--quiet); font-weight: 600; }
    p { margin: 0.5rem 0; overflow-wrap: anywhere; }
    .answer {
      margin: 0 0 0.75rem; padding: 0.9rem 1.1rem; font-size: 1.15rem; background: var(--panel);
      border-left: 4px solid var(--accent);
    }
    .source, .caption { color: var(--quiet); font-size: 0.9rem; }
    .caption { margin: 0.25rem 0 1.25rem; }
    .caption.top { margin: 0 0 0.75rem; }
    nav { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; margin-top: 1rem; }
    a { color: var(--accent); }
    .chart, .scroll { overflow-x: auto; }
    .chart svg { display: block; width: 100%; min-width: 34rem; height: auto; }
    table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
    th, td { padding: 0.3rem 0.5rem; border-bottom: 1px solid var(--line); text-align: left; }
    th { color: var(--quiet); font-weight: 600; vertical-align: bottom; }
    .number { text-align: right; white-space: nowrap; }
    th.number { white-space: normal; min-width: 4rem; }
    td.text { white-space: nowrap; }
    tr.strong td { font-weight: 700; }
    details { margin: 0.5rem 0; }
    summary { cursor: pointer; color: var(--accent); font-size: 0.9rem; }
    details .scroll { margin-top: 0.5rem; }
    .legend { display: flex; flex-wrap: wrap; gap: 0.25rem 0.9rem; font-size: 0.85rem; }
    .key { display: inline-flex; align-items: center; gap: 0.3rem; }
    .swatch { display: inline-block; width: 1rem; height: 1rem; border: 1px solid var(--line); }
    svg text { font: 12px system-ui, "Liberation Sans", sans-serif; fill: var(--quiet); }
    svg text.title { fill: var(--text); }
    svg .end { font-size: 12.5px; font-weight: 600; }
    .grid { stroke: var(--line); stroke-width: 1; }
    .axis, .tick { stroke: var(--quiet); stroke-width: 1; }
    .line { fill: none; stroke-width: 2.2; stroke-linejoin: round; }
    .dashed { stroke-dasharray: 6 4; }
    .faint { stroke-width: 1; stroke-dasharray: 2 3; }
    .band { fill-opacity: 0.18; stroke: none; }
    .band.grey { fill: var(--mist); fill-opacity: 0.5; }
    .whisker { stroke-width: 5; stroke-opacity: 0.55; fill: none; stroke-linecap: round; }
    .mark { stroke: var(--page); stroke-width: 1; }
    .line.grey, .whisker.grey { stroke: var(--grey); }
    .line.c0 { stroke: var(--c0); } .mark.c0, .bar.c0, .band.c0 { fill: var(--c0); }
    .line.c1 { stroke: var(--c1); } .mark.c1, .bar.c1, .band.c1 { fill: var(--c1); }
    .line.c2 { stroke: var(--c2); } .mark.c2, .bar.c2, .band.c2 { fill: var(--c2); }
    .line.c3 { stroke: var(--c3); } .mark.c3, .bar.c3, .band.c3 { fill: var(--c3); }
    .line.c4 { stroke: var(--c4); } .mark.c4, .bar.c4, .band.c4 { fill: var(--c4); }
    .line.c5 { stroke: var(--c5); } .mark.c5, .bar.c5, .band.c5 { fill: var(--c5); }
    .mark.grey { fill: var(--grey); }
    svg text.t0 { fill: var(--c0); } svg text.t1 { fill: var(--c1); }
    svg text.t2 { fill: var(--c2); } svg text.t3 { fill: var(--c3); }
    svg text.t4 { fill: var(--c4); } svg text.t5 { fill: var(--c5); }
    svg text.greyText { fill: var(--grey); font-weight: 400; }
    .h0 { fill: var(--h0); background: var(--h0); } .h1 { fill: var(--h1); background: var(--h1); }
    .h2 { fill: var(--h2); background: var(--h2); } .h3 { fill: var(--h3); background: var(--h3); }
    .h4 { fill: var(--h4); background: var(--h4); } .h5 { fill: var(--h5); background: var(--h5); }
    .h6 { fill: var(--h6); background: var(--h6); } .h7 { fill: var(--h7); background: var(--h7); }
    @media print {
      :root {
        --page: #ffffff; --text: #000000; --quiet: #333333; --line: #bbbbbb; --panel: #ffffff;
        --accent: #0072b2; --grey: #777777; --mist: #cccccc;
        --c0: #0072b2; --c1: #d55e00; --c2: #00805c; --c3: #a8568a; --c4: #2b8fc4; --c5: #a06f00;
        --h0: #f1f3f5; --h1: #dbe8f3; --h2: #bcd7ea; --h3: #94c0df; --h4: #63a3cf; --h5: #3682ba;
        --h6: #155f99; --h7: #083a68;
      }
      body { font-size: 10.5pt; }
      header, main { max-width: none; padding: 0; }
      nav, summary { display: none; }
      .chart, table, .answer { break-inside: avoid; }
      h2, h3, h4 { break-after: avoid; }
      .chart svg { min-width: 0; }
      .chart, .scroll { overflow: visible; }
      .h0, .h1, .h2, .h3, .h4, .h5, .h6, .h7, .bar, .band {
        print-color-adjust: exact; -webkit-print-color-adjust: exact;
      }
    }
    """
}
