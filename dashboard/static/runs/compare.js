// Two runs side by side: scores and settings, differences marked with a sign and a word, not with colour alone.

class RunComparison {
  constructor(say) {
    this.say = say
    this.onlyDifferences = false
    this.node = make("section", {class: "comparison", "aria-label": "Comparison"})
    this.section = new Section(this.node, (...data) => this.draw(...data))
  }

  show(spec) {
    this.spec = spec
    this.section.show(spec, this.onlyDifferences)
  }

  draw(spec, onlyDifferences) {
    const alike = spec.runs[0].title === spec.runs[1].title, called = run => alike ? `${run.title}, ${when(run.started || run.created)}` : run.title
    const column = run => make("a", {href: `?run=${encodeURIComponent(run.id)}`, "data-key": run.id, onclick: event => { event.preventDefault(); this.say({kind: "open", id: run.id}) }}, run.title)
    const part = (title, rows) => {
      const shown = onlyDifferences ? rows.filter(row => row.different) : rows
      if (!rows.length) return null
      return [make("h3", {}, `${title} `, make("small", {}, rows.some(row => row.different) ? `${rows.filter(row => row.different).length} of ${rows.length} differ` : "all the same")),
        shown.length ? make("div", {class: "scroll", tabindex: 0, role: "region", "aria-label": title}, make("table", {"aria-label": title},
          make("thead", {}, make("tr", {}, make("th", {scope: "col"}, ""), spec.runs.map(run => make("th", {scope: "col"}, called(run))), make("th", {scope: "col"}, "Difference"))),
          make("tbody", {}, shown.map(row => make("tr", row.different ? {class: "different"} : {}, make("th", {scope: "row"}, row.different ? make("span", {class: "mark", title: "differs", "aria-label": "differs"}, "≠ ") : "", row.title),
            row.values.map(value => make("td", {}, value)), make("td", {}, row.difference)))))) : make("p", {class: "note"}, "No difference.")]
    }
    return [button("All runs", {glyph: "back", kind: "plain", "data-key": "back", onclick: () => this.say({kind: "list"})}),
      make("h2", {tabindex: -1, "data-focus": true}, "Two runs side by side"),
      make("div", {class: "heads"}, spec.runs.map(run => make("div", {}, column(run), make("p", {class: "facts"}, chip(run.state), make("span", {}, run.kind_title), make("span", {}, when(run.started || run.created)))))),
      spec.note ? make("p", {class: "note"}, spec.note) : null,
      make("label", {class: "again"}, make("input", {type: "checkbox", "data-key": "only", checked: onlyDifferences, onchange: event => { this.onlyDifferences = event.target.checked; this.show(this.spec) }}), "Only what differs"),
      part("Scores", spec.scores), part("Settings", spec.settings), part("Inputs and versions", spec.origin)].flat()
  }
}
