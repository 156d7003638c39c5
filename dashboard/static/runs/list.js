// The list of runs: a table on a wide screen, cards on a narrow one; live rows are changed in place.

const FIRST_ROWS = 60

class RunList {
  constructor(say) {
    this.say = say
    this.rows = []
    this.picked = []
    this.all = false
    this.skew = 0
    this.find = make("input", {type: "search", placeholder: "Find by title, kind or number", "aria-label": "Find runs", class: "find", oninput: () => this.draw()})
    this.state = make("select", {"aria-label": "State", onchange: () => this.draw()},
      make("option", {value: ""}, "All states"), Object.entries(WORDS).map(([key, word]) => make("option", {value: key}, word)))
    this.compareButton = button("Compare", {glyph: "compare", onclick: () => this.compare()})
    this.body = make("tbody")
    this.empty = make("div", {class: "empty", hidden: true})
    this.more = button("Show all", {onclick: () => { this.all = true; this.draw() }})
    this.table = make("table", {class: "runs", "aria-label": "Runs"},
      make("thead", {}, make("tr", {}, ["", "State", "Run", "Kind", "Started", "Progress", "Time left", "Speed"].map((word, i) =>
        make("th", {scope: "col"}, i ? word : make("span", {class: "unseen"}, "Compare"))))), this.body)
    this.node = make("section", {class: "list", "aria-label": "Runs"},
      make("div", {class: "tools"}, this.find, this.state, this.compareButton), this.table, this.empty, this.more)
    this.body.onkeydown = event => this.keys(event)
    this.lines = new Map()
  }

  show(rows, loaded, chosen) {
    this.loaded = loaded
    this.rows = rows
    this.chosen = chosen
    this.picked = this.picked.filter(id => rows.some(row => row.id === id))
    this.draw()
  }

  draw() {
    const words = this.find.value.trim().toLowerCase(), state = this.state.value
    const hits = this.rows.filter(row => (!state || row.state === state) && (!words || `${row.title} ${row.kind_title} ${row.id}`.toLowerCase().includes(words)))
    const shown = this.all ? hits : hits.slice(0, FIRST_ROWS), nodes = []
    for (const row of shown) {
      let line = this.lines.get(row.id)
      if (!line) this.lines.set(row.id, line = this.line(row.id))
      line.update(row)
      nodes.push(line.node)
    }
    for (const id of [...this.lines.keys()]) if (!this.rows.some(row => row.id === id)) this.lines.delete(id)
    const same = nodes.length === this.body.children.length && nodes.every((node, i) => this.body.children[i] === node)
    if (!same) {
      const focused = this.body.getRootNode().activeElement
      this.body.replaceChildren(...nodes)
      if (focused && this.body.contains(focused)) focused.focus()
    }
    this.table.hidden = !shown.length
    this.more.hidden = shown.length === hits.length
    this.more.lastChild.textContent = `Show all ${hits.length}`
    this.empty.hidden = shown.length > 0 || !this.loaded
    if (!this.empty.hidden) this.empty.replaceChildren(...(this.rows.length
      ? [make("p", {}, "No run fits."), button("Show all runs", {onclick: () => { this.find.value = this.state.value = ""; this.draw() }})]
      : [make("h2", {}, "No runs yet"), make("p", {}, "A run is a long computation that goes on by itself: you may close this page, and it survives a restart. Start one, or bring a configuration file."),
         button("New run", {glyph: "add", kind: "main", onclick: () => this.say({kind: "new"})})]))
    this.find.parentNode.hidden = !this.rows.length
    this.offerComparison()
  }

  offerComparison() {
    const two = this.picked.length === 2
    this.compareButton.setAttribute("aria-disabled", two ? "false" : "true")
    this.compareButton.title = two ? "Show both side by side" : "Tick two runs to compare them"
  }

  compare() {
    const older = this.rows.map(row => row.id).filter(id => this.picked.includes(id)).reverse()    // left, as one reads
    if (older.length === 2) this.say({kind: "compare", ids: older})
  }

  pick(id, on) {
    this.picked = [...this.picked.filter(other => other !== id), ...(on ? [id] : [])].slice(-2)
    for (const [other, line] of this.lines) line.box.checked = this.picked.includes(other)
    this.offerComparison()
  }

  line(id) {
    const box = make("input", {type: "checkbox", onchange: () => this.pick(id, box.checked)})
    const link = make("a", {href: `?run=${encodeURIComponent(id)}`, "data-key": id, onclick: event => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return
      event.preventDefault(); this.say({kind: "open", id})
    }})
    const cells = Object.fromEntries(["state", "kind", "started", "progress", "remaining", "speed"].map(name => [name, make("td", {class: name})]))
    const node = make("tr", {onclick: event => { if (!event.target.closest("a, input, button, label")) link.click() }},
      make("td", {class: "pick"}, make("label", {}, box)), cells.state, make("td", {class: "title"}, link), cells.kind, cells.started, cells.progress, cells.remaining, cells.speed)
    const parts = Object.fromEntries(Object.entries(cells).map(([name, cell]) => [name, new Section(cell, value => value)]))
    parts.state.draw = (state, note) => chip(state, note)
    parts.progress.draw = (fraction, text, state, error) => state === "done" ? text
      : state === "failed" ? make("span", {class: "wrong"}, error)
      : [bar(fraction, "Progress"), make("small", {}, text)]
    const update = row => {
      link.textContent = row.title
      box.setAttribute("aria-label", `Compare ${row.title}`)
      box.checked = this.picked.includes(row.id)
      node.classList.toggle("chosen", row.id === this.chosen)
      if (row.id === this.chosen) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current")
      parts.state.show(row.state, row.note)
      parts.kind.show(row.kind_title)
      parts.started.show(when(row.started || row.created))
      parts.progress.show(row.fraction, row.state === "done" ? (row.started ? `in ${elapsed(row, this.skew)}` : "") : row.progress, row.state, row.error)
      parts.remaining.show(row.left)
      parts.speed.show(row.speed)
      cells.remaining.dataset.empty = row.left ? "" : "1"
      cells.speed.dataset.empty = row.speed ? "" : "1"
    }
    return {node, box, link, update}
  }

  keys(event) {
    if (!["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key) || event.target.tagName !== "A") return
    event.preventDefault()
    const links = [...this.body.querySelectorAll("td.title a")], at = links.indexOf(event.target)
    const to = {ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1}[event.key]
    links[Math.max(0, Math.min(links.length - 1, to))]?.focus()
  }
}
