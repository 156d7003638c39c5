// Lists with search and filters: the catalogue, and what is in the data folder. All filtering happens here, so it is instant.

Object.assign(ICONS, {
  find: "M15.5 14h-.8l-.3-.3A6.5 6.5 0 1 0 13.7 14.4l.3.3v.8l5 5 1.5-1.5zm-6 0a4.5 4.5 0 1 1 0-9 4.5 4.5 0 0 1 0 9z",
  quote: "M6 17h3l2-4V7H5v6h3zm8 0h3l2-4V7h-6v6h3z", check: "M9 16.2 4.8 12l-1.4 1.4L9 19 21 7l-1.4-1.4z",
  map: "M20.5 3 15 5.1 9 3 3.4 4.9a.5.5 0 0 0-.4.5v15.1c0 .3.2.5.5.5L9 18.9l6 2.1 5.6-1.9a.5.5 0 0 0 .4-.5V3.5c0-.3-.2-.5-.5-.5zM15 19l-6-2.1V5l6 2.1z",
  chart: "M4 9h4v11H4zm6-5h4v16h-4zm6 8h4v8h-4z", lock: "M18 8h-1V6A5 5 0 0 0 7 6v2H6a2 2 0 0 0-2 2v10c0 1.1.9 2 2 2h12a2 2 0 0 0 2-2V10a2 2 0 0 0-2-2zM9 6a3 3 0 0 1 6 0v2H9z",
  hand: "M21 7c0-1.4-2-1.4-2 0v4h-1V4c0-1.4-2-1.4-2 0v7h-1V2.5c0-1.4-2-1.4-2 0V11h-1V4c0-1.4-2-1.4-2 0v10l-2.6-2.2c-1-.8-2.4.4-1.6 1.5L10 20c.7 1.2 2 2 3.4 2H17a4 4 0 0 0 4-4z",
  here: "M19.4 10A7.5 7.5 0 0 0 5.4 8 6 6 0 0 0 6 20h13a5 5 0 0 0 .4-10zM10 17l-3.5-3.5 1.4-1.4L10 14.2l5.2-5.2 1.4 1.4z",
  note: "M11 7h2v2h-2zm0 4h2v6h-2zm1-9a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm0 18a8 8 0 1 1 0-16 8 8 0 0 1 0 16z",
})

const day = text => (text || "").slice(0, 10)
function period(item) {
  const first = day(item.start), last = day(item.end)
  return !first ? "" : first === last ? first : `${first} – ${last}`
}
function plural(count, what) { return `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}` }
function mark(kind, glyph, text) { return make("span", {class: `chip ${kind}`}, icon(glyph), text) }
function link(href, text, attributes = {}) {
  const outside = /^https?:/.test(href)
  return make("a", {href, ...(outside ? {target: "_blank", rel: "noopener noreferrer"} : {}), ...attributes}, text)
}
// A sentence of the program: what stands between backticks is typed as it is.
function said(text) { return text.split("`").map((part, i) => i % 2 ? make("code", {}, part) : part) }
// Only addresses of the web become links: facts may come from files that people made.
function webLink(address, text) { return /^https?:\/\//.test(address) ? link(address, text ?? address) : make("span", {}, text ?? address) }

const ACCESS_GLYPHS = {open: "download", account: "lock", hand: "hand", made: "chart"}

class ItemList {
  // change(facts): state of the filters; cite(items): how to cite what is shown
  constructor({name, placeholder, filters, columns, keyOf, textOf, change, cite, empty}) {
    Object.assign(this, {name, filters, columns, keyOf, textOf, change, empty})
    this.items = []; this.state = {}; this.texts = new Map()
    const later = debounce(() => this.change({q: this.find.value}, true), 350)
    this.find = make("input", {type: "search", class: "find", placeholder, "aria-label": placeholder, "data-key": "find", oninput: () => { this.state.q = this.find.value; this.draw(); later() }})
    this.selects = filters.map(filter => make("select", {"aria-label": filter.label, onchange: event => this.change({[filter.key]: event.target.value})}))
    this.count = make("span", {class: "note", role: "status"})
    this.citing = button("How to cite these", {glyph: "quote", kind: "plain small", onclick: () => cite(this.chosen())})
    this.body = make("tbody")
    this.table = make("table", {class: `items ${name}`}, make("thead", {}, make("tr", {}, columns.map(column => make("th", {scope: "col", class: column.key}, column.label)))), this.body)
    this.blank = make("div", {class: "empty", hidden: true})
    this.node = make("div", {class: "list"}, make("div", {class: "tools"}, this.find, ...this.selects), make("div", {class: "said"}, this.count, make("span", {class: "spacer"}), this.citing), this.table, this.blank)
  }

  chosen() {
    const words = (this.state.q || "").toLowerCase().split(/\s+/).filter(Boolean)
    return this.items.filter(item => {
      if (!this.filters.every(filter => !this.state[filter.key] || filter.of(item) === this.state[filter.key])) return false
      const key = this.keyOf(item)
      if (!this.texts.has(key)) this.texts.set(key, this.textOf(item).toLowerCase())
      return words.every(word => this.texts.get(key).includes(word))
    })
  }

  show(items, state, loaded = true) {
    if (items !== this.items) { this.items = items; this.texts.clear(); this.rows = new Map() }
    this.state = {...state}
    this.loaded = loaded
    if (this.find.value !== (state.q ?? "") && this.find.getRootNode().activeElement !== this.find) this.find.value = state.q ?? ""
    this.filters.forEach((filter, i) => {
      const counts = new Map()
      for (const item of items) counts.set(filter.of(item), (counts.get(filter.of(item)) ?? 0) + 1)
      const values = [...counts.keys()].filter(Boolean).sort((a, b) => filter.words(a).localeCompare(filter.words(b)))
      const select = this.selects[i], options = [["", filter.all], ...values.map(value => [value, `${filter.words(value)} (${counts.get(value)})`])]
      if (state[filter.key] && !counts.has(state[filter.key])) options.push([state[filter.key], `${filter.words(state[filter.key])} (0)`])
      if (JSON.stringify(options) !== select.dataset.options) {
        select.dataset.options = JSON.stringify(options)
        select.replaceChildren(...options.map(([value, label]) => make("option", {value}, label)))
      }
      select.value = state[filter.key] ?? ""
      select.classList.toggle("set", Boolean(select.value))
    })
    this.draw()
  }

  draw() {
    const chosen = this.chosen()
    this.rows ??= new Map()
    const rows = chosen.map(item => {
      const key = this.keyOf(item)
      if (!this.rows.has(key)) this.rows.set(key, this.row(item, key))
      const row = this.rows.get(key)
      row.classList.toggle("chosen", key === this.state.item)
      return row
    })
    this.body.replaceChildren(...rows)
    this.table.hidden = !rows.length
    this.citing.hidden = !rows.length
    this.count.textContent = !this.loaded ? "Looking …" : rows.length === this.items.length ? plural(rows.length, this.name === "entries" ? "data set" : "item") : `${rows.length} of ${this.items.length}`
    this.blank.hidden = !this.loaded || rows.length > 0
    if (!this.blank.hidden) this.blank.replaceChildren(...(this.items.length ? [make("p", {}, "Nothing has all of these words and filters."), button("Show everything", {onclick: () => { this.find.value = ""; this.change({q: "", ...Object.fromEntries(this.filters.map(filter => [filter.key, ""]))}) }})] : this.empty()))
  }

  row(item, key) {
    const open = event => { if (event.target.closest("a[target], button")) return; event.preventDefault(); this.change({item: key}) }
    return make("tr", {onclick: open, "data-key": key}, this.columns.map((column, i) => make("td", {class: column.key}, i ? column.cell(item) : [make("a", {href: `?tab=${this.name === "entries" ? "catalogue" : "here"}&item=${encodeURIComponent(key)}`, class: "title"}, column.cell(item)), make("small", {}, column.small(item))])))
  }
}
