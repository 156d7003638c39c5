// One run: its state and what can be done with it, how far it is, its results, scores, settings, log and origin.

class RunDetail {
  constructor(say) {
    this.say = say
    this.node = make("section", {class: "run", "aria-label": "Run"})
    this.slot = make("div", {class: "plot"})
    const part = (name, draw, tag = "div") => new Section(make(tag, {class: name}), draw)
    this.head = part("head", (title, kind, state, note, id) => [
      button("All runs", {glyph: "back", kind: "plain", "data-key": "back", onclick: () => this.say({kind: "list"})}),
      make("h2", {tabindex: -1, "data-focus": true}, title), make("p", {class: "facts"}, chip(state, note), make("span", {}, kind), make("code", {title: "Number of the run"}, id))], "header")
    this.doing = part("doing", (...data) => this.drawDoing(...data))
    this.actions = part("actions", (...data) => this.drawActions(...data))
    this.results = part("results", (...data) => this.drawResults(...data))
    this.choice = part("drawn", (...data) => this.drawChoice(...data))
    this.tables = part("tables", tables => tables.map(each => fold(`${each.title}${each.total > each.rows.length ? ` (first ${each.rows.length} of ${each.total} rows)` : ""}`, !this.plotted,
      table(each.columns, each.rows, {"aria-label": each.title}))))
    this.scores = part("scores", scores => scores.length ? [make("h3", {}, "Scores"), table(["Score", "Value"], scores.map(([name, text]) => [name, text]), {"aria-label": "Scores", "data-head": true})] : null)
    this.settings = part("settings", settings => fold("Settings", true, table(["Setting", "Value"], settings.map(each => ({
      attributes: each.changed ? {class: "changed"} : {}, cells: [make("span", {title: each.description}, each.title), each.changed ? make("span", {}, each.value, make("small", {}, " changed")) : each.value]})), {"aria-label": "Settings", "data-head": true})))
    this.origin = part("origin", facts => fold("Inputs, versions and seed", false, table(["What", "Value"], facts, {"aria-label": "Origin", "data-head": true})))
    this.text = make("pre", {tabindex: 0, role: "log", "aria-label": "Log"})
    this.logDownload = make("a", {class: "button small", download: ""}, icon("download"), make("span", {}, "Log"))
    this.log = fold("Log", true, this.text, this.logDownload)
    this.node.append(this.head.node, this.actions.node, this.doing.node, this.results.node, this.choice.node, this.slot, this.tables.node, this.scores.node, this.settings.node, this.log, this.origin.node)
  }

  show(spec, row, skew) {
    const live = row ?? spec
    this.id = spec.id
    if (this.shownId !== spec.id) { this.shownId = spec.id; this.text.textContent = ""; this.logLines = null }
    this.plotted = Boolean(spec.plot)
    this.head.show(spec.title, spec.kind_title, live.state, live.note, spec.id)
    this.actions.show(spec.id, live.state, live.note, live.resumable, spec.others)
    this.doing.show(live.state, live.fraction, live.progress, live.left, live.speed, ACTIVE.has(live.state) ? elapsed(live, skew) : "", spec.error || live.error, when(live.started || live.created, true), when(live.ended, true), live.ended && live.started ? elapsed(live, skew) : "")
    this.results.show(spec.results, live.state)
    this.choice.show(spec.plot)
    this.slot.hidden = !spec.plot
    this.tables.show(spec.tables)
    this.scores.show(spec.scores)
    this.settings.show(spec.settings)
    this.origin.show(spec.origin)
    this.logDownload.href = spec.log_file
  }

  // The figure is a Bokeh document of its own; the last one is taken away with all that belongs to it.
  async showPlot(plot) {
    const now = this.plot = {}
    this.slot.setAttribute("aria-busy", "true")
    const views = plot?.item ? await window.Bokeh.embed.embed_item(plot.item, this.slot.appendChild(make("div"))) : null
    if (now !== this.plot) { views?.clear(); return }
    this.views?.clear()
    this.views = views
    while (this.slot.children.length > (views ? 1 : 0)) this.slot.firstChild.remove()
    this.slot.removeAttribute("aria-busy")
  }

  showLog(log) {
    if (log.id !== this.id || log.text === this.logLines) return
    this.logLines = log.text
    const end = this.text.scrollHeight - this.text.scrollTop - this.text.clientHeight < 40
    this.text.textContent = log.text || "Nothing has been written yet."
    if (end) this.text.scrollTop = this.text.scrollHeight
  }

  drawDoing(state, fraction, progress, left, speed, spent, error, started, ended, took) {
    const fact = (label, text) => text ? make("div", {}, make("small", {}, label), make("strong", {}, text)) : null
    const parts = []
    if (error) parts.push(make("p", {class: "alert", role: "alert"}, error))
    if (state !== "done" && (ACTIVE.has(state) || fraction !== null)) parts.push(bar(fraction, "Progress"))
    parts.push(make("div", {class: "numbers"}, fact("Progress", state === "done" ? "" : progress), fact("Time left", ACTIVE.has(state) ? left : ""), fact("Speed", speed), fact("At work for", spent),
      fact("Started", started), fact(state === "done" ? "Finished" : "Ended", ended), fact("Took", state === "done" ? took : "")))
    return parts
  }

  drawActions(id, state, note, resumable, others) {
    const act = (name, label, options) => button(label, {"data-key": name, onclick: () => this.say({kind: name, id}), ...options})
    const wait = note ? `${note}: wait until it is done` : ""
    const nodes = []
    const working = ACTIVE.has(state) && !resumable
    if (working) nodes.push(act("pause", "Pause", {glyph: "paused", why: wait}), act("cancel", "Cancel", {glyph: "close", why: wait}))
    if (resumable) nodes.push(act("resume", "Resume", {glyph: "running", kind: "main", title: "Go on from the last checkpoint"}))
    nodes.push(act("copy", "Copy settings", {glyph: "copy", title: "Start again with changed settings"}))
    if (others.length) {
      const select = make("select", {"aria-label": "Compare with", "data-key": "compare", onchange: () => select.value && this.say({kind: "compare", ids: [id, select.value]})},
        make("option", {value: ""}, "Compare with …"), others.map(([other, label]) => make("option", {value: other}, label)))
      nodes.push(select)
    }
    nodes.push(make("a", {class: "button", "data-key": "configuration", download: "", href: `./data/runs/${encodeURIComponent(id)}/configuration.yaml`}, icon("download"), make("span", {}, "Configuration")))
    nodes.push(button("Delete", {"data-key": "delete", glyph: "remove", kind: "danger", why: working ? "Cancel the run before deleting it" : "", onclick: () => this.say({kind: "ask-delete", id})}))
    return nodes
  }

  drawResults(results, state) {
    if (!results.length) return state === "done" ? make("p", {class: "note"}, "This run left no result files.") : null
    return [make("h3", {}, "Results"), make("ul", {class: "files"}, results.map(each => make("li", {},
      make("div", {}, make("strong", {}, each.name), make("small", {}, [each.kind, each.size].filter(Boolean).join(", "))),
      each.link ? make("a", {class: "button main", href: each.link}, icon("open"), make("span", {}, "Open")) : null,
      each.file ? make("a", {class: "button", href: each.file, download: ""}, icon("download"), make("span", {}, "Download")) : null,
      each.picture ? make("img", {src: `${each.file}?show=1`, alt: each.name, loading: "lazy"}) : null)))]
  }

  drawChoice(plot) {
    if (!plot) return null
    const choose = (label, name, options, value) => options.length < 2 ? null : make("label", {}, label, make("select", {"data-key": name,
      onchange: event => this.say({kind: "plot", id: this.id, [name]: event.target.value})}, options.map(([key, text]) => make("option", key === value ? {value: key, selected: true} : {value: key}, text))))
    return [make("h3", {}, plot.title), choose("Series", "series", plot.files, plot.file), choose("Quantity", "column", plot.columns, plot.column),
      plot.key.length > 1 ? make("ul", {class: "key", "aria-label": "Lines"}, plot.key.map(([name, colour, dash]) => make("li", {}, stroke(colour, dash), name))) : null,
      plot.note ? make("p", {class: "note"}, plot.note) : null]
  }
}
