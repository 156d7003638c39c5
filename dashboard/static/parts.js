// Small parts that the Runs page and the Data page use; each page's files are joined to one module (dashboard/json_view.py).

const ICONS = {
  queued: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm0 18a8 8 0 1 1 0-16 8 8 0 0 1 0 16zm1-13h-2v6l5 3 1-1.6-4-2.4z",
  running: "M8 5v14l11-7z", paused: "M6 19h4V5H6zm8-14v14h4V5z", done: "M9 16.2 4.8 12l-1.4 1.4L9 19 21 7l-1.4-1.4z",
  failed: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm1 15h-2v-2h2zm0-4h-2V7h2z",
  cancelled: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zM4 12a8 8 0 0 1 12.9-6.3L5.7 16.9A8 8 0 0 1 4 12zm8 8a8 8 0 0 1-4.9-1.7L18.3 7.1A8 8 0 0 1 12 20z",
  add: "M19 13h-6v6h-2v-6H5v-2h6V5h2v6h6z", back: "M20 11H7.8l5.6-5.6L12 4l-8 8 8 8 1.4-1.4L7.8 13H20z",
  upload: "M9 16h6v-6h4l-7-7-7 7h4zm-4 2h14v2H5z", download: "M19 9h-4V3H9v6H5l7 7zM5 18v2h14v-2z",
  remove: "M6 19a2 2 0 0 0 2 2h8a2 2 0 0 0 2-2V7H6zM19 4h-3.5l-1-1h-5l-1 1H5v2h14z", close: "M19 6.4 17.6 5 12 10.6 6.4 5 5 6.4l5.6 5.6L5 17.6 6.4 19l5.6-5.6 5.6 5.6 1.4-1.4-5.6-5.6z",
  copy: "M16 1H4a2 2 0 0 0-2 2v14h2V3h12zm3 4H8a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h11a2 2 0 0 0 2-2V7a2 2 0 0 0-2-2zm0 16H8V7h11z",
  compare: "M10 3H5a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h5v2h2V1h-2zm0 15H5l5-6zm9-15h-5v2h5v13l-5-6v9h5a2 2 0 0 0 2-2V5a2 2 0 0 0-2-2z",
  open: "M19 19H5V5h7V3H5a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h14a2 2 0 0 0 2-2v-7h-2zM14 3v2h3.6l-9.8 9.8 1.4 1.4L19 6.4V10h2V3z",
}
const ACTIVE = new Set(["queued", "running"])

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag)
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue
    if (key.startsWith("on")) node[key] = value
    else if (key === "value") node.value = value
    else node.setAttribute(key, value === true ? "" : value)
  }
  node.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false && child !== ""))
  return node
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), path = document.createElementNS("http://www.w3.org/2000/svg", "path")
  svg.setAttribute("viewBox", "0 0 24 24"); svg.setAttribute("aria-hidden", "true"); path.setAttribute("d", ICONS[name]); svg.append(path)
  return svg
}

// A sample of a line, for the key of a plot.
function stroke(colour, dash) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), line = document.createElementNS("http://www.w3.org/2000/svg", "path")
  svg.setAttribute("viewBox", "0 0 26 10"); svg.setAttribute("aria-hidden", "true")
  for (const [key, value] of Object.entries({d: "M0 5h26", stroke: colour, "stroke-width": 3, "stroke-dasharray": dash === "dashed" ? "6 4" : "none"})) line.setAttribute(key, value)
  svg.append(line)
  return svg
}

// A button; where `why` is given it cannot be used now, stays reachable by keyboard, and says why.
function button(label, {glyph = null, kind = "", why = "", title = "", onclick = () => {}, ...rest} = {}) {
  return make("button", {type: "button", class: `button ${kind}`, "aria-disabled": why ? "true" : false, title: why || title || false,
    onclick: event => { if (!why) onclick(event) }, ...rest}, glyph && icon(glyph), make("span", {}, label))
}

const WORDS = {queued: "Queued", running: "Running", paused: "Paused", done: "Done", failed: "Failed", cancelled: "Cancelled"}
function chip(state, note = "") {
  return make("span", {class: `chip ${state}`}, icon(state), note || WORDS[state] || state)
}

function bar(fraction, label) {
  const known = fraction !== null && fraction !== undefined
  return make("div", {class: known ? "bar" : "bar unknown", role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100,
    "aria-valuenow": known ? Math.floor(100 * fraction) : false}, make("i", {style: `width:${known ? (100 * fraction).toFixed(1) : 30}%`}))
}

// Times of runs are UTC; people see their own clock, with the zone where it matters.
function when(iso, long = false) {
  if (!iso) return ""
  const time = new Date(iso), today = new Date().toDateString() === time.toDateString()
  if (long) return time.toLocaleString("en-GB", {day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short"})
  const clock = time.toLocaleTimeString("en-GB", {hour: "2-digit", minute: "2-digit"})
  return today ? clock : `${time.toLocaleDateString("en-GB", {day: "numeric", month: "short", year: time.getFullYear() === new Date().getFullYear() ? undefined : "numeric"})} ${clock}`
}

function span(seconds) {
  if (!(seconds >= 0)) return ""
  const s = Math.round(seconds)
  if (s < 60) return `${s} s`
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`
  if (s < 172800) return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`
  return `${Math.floor(s / 86400)} d ${Math.floor(s % 86400 / 3600)} h`
}

// Seconds that a run has been at work, by the browser's clock corrected to the server's.
function elapsed(row, skew) {
  if (!row.started) return ""
  const end = row.ended ? Date.parse(row.ended) : ACTIVE.has(row.state) ? Date.now() + skew : NaN
  return span((end - Date.parse(row.started)) / 1000)
}

function debounce(fn, ms) {
  let timer = null
  const later = (...args) => { clearTimeout(timer); timer = setTimeout(() => { timer = null; fn(...args) }, ms) }
  later.cancel = () => { clearTimeout(timer); timer = null }
  return later
}

// A part of the page that is drawn again only when what it shows has changed.
class Section {
  constructor(node, draw) { this.node = node; this.draw = draw; this.last = undefined }
  show(...data) {
    const now = JSON.stringify(data)
    if (now === this.last) return
    this.last = now
    const focused = this.node.getRootNode().activeElement, name = this.node.contains(focused) ? focused.dataset?.key : null
    this.node.replaceChildren(...[this.draw(...data)].flat().filter(Boolean))
    if (name) this.node.querySelector(`[data-key="${CSS.escape(name)}"]`)?.focus()
  }
}

function table(headings, rows, attributes = {}) {
  return make("div", {class: "scroll", tabindex: 0, role: "region", "aria-label": attributes["aria-label"] ?? "Table"}, make("table", attributes,
    make("thead", {}, make("tr", {}, headings.map(text => make("th", {scope: "col"}, text)))),
    make("tbody", {}, rows.map(row => make("tr", row.attributes ?? {}, (row.cells ?? row).map((cell, i) =>
      i === 0 && attributes["data-head"] ? make("th", {scope: "row"}, cell) : make("td", typeof cell === "number" ? {class: "number"} : {}, cell)))))))
}

function fold(title, open, ...children) {
  return make("details", {open: open, class: "fold"}, make("summary", {}, title), ...children)
}
