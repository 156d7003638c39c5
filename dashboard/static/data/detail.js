// What stands beside a list: one data set of the catalogue with its way to fetch it, or one thing in the data folder.

function facts(pairs) {
  return make("dl", {class: "facts"}, pairs.filter(([, value]) => value && (!Array.isArray(value) || value.length)).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]))
}

function citeBox(text, copy) {
  return make("section", {class: "cite"}, make("h3", {}, "How to cite"), make("p", {}, text), button("Copy", {glyph: "copy", kind: "small", onclick: event => copy(text, event.currentTarget)}))
}

function head(title, close, ...chips) {
  return make("div", {class: "head"}, button("Back to the list", {glyph: "back", kind: "plain back", onclick: close}), make("h2", {tabindex: -1, "data-focus": true}, title), make("div", {class: "facts"}, ...chips))
}

function taskLine(task, act) {
  const {stop, dismiss} = act
  const ended = !["waiting", "running"].includes(task.state)
  const state = {waiting: "queued", stopped: "cancelled"}[task.state] ?? task.state
  const counts = Object.entries(task.counts).map(([status, count]) => `${count} ${status}`).join(", ")
  const words = task.error || (ended ? (task.rows.length > 1 ? counts : "") : task.label || (task.state === "waiting" ? "waits for its turn" : "starting"))
  return make("div", {class: `task ${task.state}`, "data-task": task.number},
    make("div", {class: "line"}, chip(state, task.title), make("span", {class: "spacer"}),
      task.counts.imported && button("See what is here", {kind: "plain small", glyph: "here", onclick: () => act.tab("here"), "data-key": `here-${task.number}`}),
      ended ? button("Close", {kind: "plain small", glyph: "close", title: "Take it off the list", onclick: () => dismiss(task.number), "data-key": `close-${task.number}`})
        : button("Stop", {kind: "plain small", glyph: "close", onclick: () => stop(task.number), "data-key": `stop-${task.number}`})),
    !ended && bar(task.state === "waiting" ? 0 : task.fraction, task.title),
    words && make("p", {class: task.error ? "wrong" : "note"}, said(words)),
    task.plan && make("p", {}, task.plan.text),
    task.rows.length > 0 && make("ul", {class: "outcomes"}, task.rows.slice(-60).map(row => make("li", {class: row.status}, mark(row.status === "failed" ? "failed" : "done", row.status === "failed" ? "failed" : "done", row.name), " ", said((row.message || row.status).replace(`${row.name}: `, ""))))),
    task.rows.length > 60 && make("p", {class: "note"}, `The last 60 of ${task.rows.length} are shown.`))
}

class EntryDetail {
  constructor(act) { this.act = act; this.node = make("section", {class: "entry"}); this.filled = {} }

  show(entry, held, tasks) {
    const key = JSON.stringify([entry.name, entry.missing, held.map(item => item.key)])
    if (key !== this.key) { this.key = key; this.draw(entry, held) }
    const mine = tasks.filter(task => task.subject === entry.name && ["plan", "fetch"].includes(task.kind))
    this.work.show(mine)
    const busy = mine.some(task => ["waiting", "running"].includes(task.state))
    for (const each of this.buttons) each.setAttribute("aria-disabled", String(busy || Boolean(entry.missing)))
    this.busy = busy
  }

  draw(entry, held) {
    const {act} = this
    this.entry = entry
    this.buttons = []
    const work = make("div", {class: "work", "aria-live": "polite"})
    this.work = new Section(work, mine => mine.slice(0, 3).map(task => taskLine(task, act)))
    this.node.replaceChildren(...[
      head(entry.title, act.close, mark("", ACCESS_GLYPHS[entry.access], act.accessWords(entry.access)), held.length ? mark("done", "here", "Here") : mark("", "note", "Not here yet")),
      held.length > 0 && make("p", {}, "In the data folder: ", held.flatMap((item, i) => [i ? ", " : "", make("a", {href: `?tab=here&item=${encodeURIComponent(item.key)}`, onclick: event => { event.preventDefault(); act.openItem(item.key) }}, item.name), ` (${item.amount})`])),
      facts([["Provider", entry.provider], ["Covers", entry.coverage], ["Resolution", entry.resolution], ["Size", entry.size || "not known"], ["Variables", entry.variables.join(", ") + (entry.unit ? ` (${entry.unit})` : "")],
        ["Version", entry.version], ["Licence", entry.licence || "not known; ask the provider"], ["DOI", entry.doi && webLink(`https://doi.org/${entry.doi}`, entry.doi)], ["Homepage", entry.homepage && webLink(entry.homepage)],
        ["Reader", entry.reader ? "can be imported" : "cannot be imported yet"], ["Note", entry.note]]),
      this.obtain(entry), work, citeBox(entry.cite, act.copy),
    ].flat().filter(Boolean))
  }

  obtain(entry) {
    const {act} = this
    if (entry.access === "made") return [make("h3", {}, "How to get it"), make("p", {}, "This program makes it: run ", make("code", {}, "carbonweather demo"), ", or start the dashboard without data.")]
    if (entry.access === "hand") return [make("h3", {}, "How to get it"), make("p", {}, said(`${entry.instructions}.`)), entry.address && make("p", {}, webLink(entry.address)),
      make("div", {class: "actions"}, entry.reader && button("Drop its files here", {glyph: "upload", onclick: () => act.tab("import")}))]
    const field = (name, label, attributes = {}) => make("label", {class: "field"}, make("span", {}, label), this.fields[name] = make("input", {type: "text", name, autocomplete: "off", value: this.filled[entry.name]?.[name] ?? "", oninput: () => { (this.filled[entry.name] ??= {})[name] = this.fields[name].value }, ...attributes}))
    this.fields = {}
    const send = plan => event => {
      event.preventDefault()
      if (this.busy || entry.missing) return
      const value = name => this.fields[name]?.value.trim() ?? ""
      act.fetch({name: entry.name, plan, start: value("start"), end: value("end"), box: ["west", "south", "east", "north"].map(value)})
    }
    this.buttons = [button("Ask what there is", {glyph: "find", onclick: send(true)}), button(entry.reader ? "Fetch and import" : "Fetch", {glyph: "download", kind: "main", onclick: send(false)})]
    return [make("h3", {}, "Fetch it"), make("p", {class: "note"}, `Comes from: ${entry.how}. What broke off is resumed, what came is checked against the provider's checksums where it publishes them.`),
      entry.missing && make("p", {class: "alert"}, said(entry.missing)),
      make("form", {class: "fetch", onsubmit: send(false)},
        entry.days && [field("start", "First day", {placeholder: entry.span[0]}), field("end", "Last day, included", {placeholder: entry.span[1] || "now"})],
        entry.box && make("fieldset", {class: "box"}, make("legend", {}, "Box in degrees (nothing: everywhere)"), ...[["west", "West"], ["south", "South"], ["east", "East"], ["north", "North"]].map(([name, label]) => field(name, label, {inputmode: "decimal"})))),
      entry.days && make("p", {class: "note"}, "Days are written as 2020-06-15, 2020-06 or 2020.", !entry.box && " This provider serves whole files, so there is no box to choose."),
      make("div", {class: "actions"}, ...this.buttons)]
  }
}

class HoldingDetail {
  constructor(act) { this.act = act; this.node = make("section", {class: "holding"}) }

  show(item, entry, findings, verifying) {
    const key = JSON.stringify([item, entry?.name, findings, verifying])
    if (key === this.key) return
    this.key = key
    const {act} = this
    const [west, south, east, north] = (item.box ?? []).map(edge => +edge.toFixed(2)), box = item.box && `${west}° to ${east}° E, ${south}° to ${north}° N`
    this.node.replaceChildren(...[
      head(item.title, act.close, mark("", "here", act.kindWords(item.kind)), item.simulated && mark("paused", "note", "Simulated: not a measurement")),
      make("div", {class: "actions"},
        item.open && make("a", {class: "button main", href: item.open}, icon("map"), make("span", {}, "Open")),
        item.analyse && make("a", {class: "button", href: item.analyse}, icon("chart"), make("span", {}, "Analyse")),
        item.kind === "soundings" && button("When and where", {glyph: "here", onclick: () => act.coverage(item.instrument)}),
        item.kind !== "download" && button("Verify", {glyph: "check", why: verifying ? "A verification is at work" : "", onclick: () => act.verify(item.key), "data-key": "verify"}),
        button("Remove", {glyph: "remove", kind: "danger", onclick: () => act.remove(item), "data-key": "remove"})),
      facts([["Holds", item.amount], ["Size", item.size_words], ["Period", period(item)], ["Place", box], ["Variables", item.variables.join(", ")], ["Version", ["", "unknown"].includes(item.version) ? "" : item.version],
        ["CO2 scale", ["", "unknown"].includes(item.scale) ? "" : item.scale],
        ["Data set", entry && make("a", {href: `?tab=catalogue&item=${entry.name}`, onclick: event => { event.preventDefault(); act.openEntry(entry.name) }}, entry.title)],
        ["Licence", item.licence || "not known; ask the provider"], ["DOI", item.doi && webLink(`https://doi.org/${item.doi}`, item.doi)], ["Name", make("code", {}, item.key)]]),
      findings.length > 0 && [make("h3", {}, "Found at the last verification"), make("ul", {class: "outcomes"}, findings.map(found => make("li", {}, mark(found.problem ? "failed" : "", found.problem ? "failed" : "note", SORT_WORDS[found.sort] ?? found.sort), " ", said(found.text))))],
      citeBox(item.cite, act.copy),
      item.source_count > 0 && fold(`${item.kind === "download" ? "Files" : "Made from"} (${plural(item.source_count, "file")})`, false, make("ul", {class: "sources"}, item.sources.map(name => make("li", {}, make("code", {}, name)))), item.source_count > item.sources.length && make("p", {class: "note"}, `The first ${item.sources.length} are shown.`)),
    ].flat().filter(Boolean))
  }
}
