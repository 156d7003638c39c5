// The coverage calendar: a square for each day, a row of weeks for each year, coloured by the number of soundings.

const RAMPS = {light: ["#d3e9f1", "#7cc0d6", "#2b8fb0", "#0b5a77", "#052f42"], dark: ["#153a4b", "#1d6a86", "#3398ba", "#7dcbe4", "#dff5fc"]}
const MONTH_NAMES = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
const DAY_MS = 86400e3

function isDark(node) {
  const [r, g, b] = (getComputedStyle(node).color.match(/[\d.]+/g) ?? [0, 0, 0]).map(Number)
  return r + g + b > 380   // light letters stand on a dark page
}

function ramp(colours, fraction) {
  const at = Math.max(0, Math.min(1, fraction)) * (colours.length - 1), low = Math.min(colours.length - 2, Math.floor(at)), part = at - low
  const rgb = hex => [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16)), a = rgb(colours[low]), b = rgb(colours[low + 1])
  return a.map((value, i) => Math.round(value + (b[i] - value) * part))
}

function logScale(most) {
  const top = Math.log10(Math.max(most, 10))
  return count => count > 0 ? Math.log10(Math.max(count, 1)) / top : -1
}

function legend(colours, most) {
  const ticks = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7].filter(value => value < most), last = Math.max(most, 1)
  const short = value => value >= 1e6 ? `${+(value / 1e6).toPrecision(2)} M` : value >= 1e3 ? `${+(value / 1e3).toPrecision(2)} k` : String(value)
  return make("div", {class: "legend"}, make("span", {}, short(Math.min(...ticks, last))), make("i", {style: `background: linear-gradient(90deg, ${colours.join(",")})`}), make("span", {}, short(last)))
}

class Calendar {
  constructor(go) {
    this.go = go
    this.canvas = make("canvas", {role: "img"})
    this.tip = make("div", {class: "tip", hidden: true})
    this.key = make("div")
    this.frame = make("div", {class: "calendar"}, this.canvas, this.tip)
    this.months = make("div")
    this.node = make("div", {}, this.frame, make("div", {class: "under"}, make("span", {class: "note"}, "Soundings a day. A click opens the month on the map."), this.key), fold("By month, as a table", false, this.months))
    this.canvas.onpointermove = event => this.hover(event)
    this.canvas.onpointerleave = () => { this.tip.hidden = true }
    this.canvas.onclick = event => { const at = this.at(event); if (at) this.go(at.day.slice(0, 7)) }
    new ResizeObserver(() => { if (this.data && this.frame.clientWidth !== this.width) this.draw() }).observe(this.frame)
  }

  show(data, months) {
    this.data = data
    this.shownMonths = months
    this.start = Date.parse(data.first + "T00:00:00Z")
    const years = [...new Set([data.first.slice(0, 4), this.dayOf(data.counts.length - 1).slice(0, 4)])].map(Number)
    this.years = Array.from({length: years.at(-1) - years[0] + 1}, (_, i) => years[0] + i)
    this.draw()
    const sums = new Map()
    data.counts.forEach((count, i) => { if (count) { const month = this.dayOf(i).slice(0, 7), old = sums.get(month) ?? [0, 0]; sums.set(month, [old[0] + count, old[1] + 1]) } })
    this.months.replaceChildren(table(["Month", "Soundings", "Days"], [...sums].reverse().map(([month, [count, days]]) => [make("a", {href: months[month] ?? "#", onclick: event => { if (!months[month]) { event.preventDefault(); this.go(month) } }}, month), count.toLocaleString("en"), String(days)]), {"aria-label": `Soundings of ${data.name} by month`}))
  }

  dayOf(i) { return new Date(this.start + i * DAY_MS).toISOString().slice(0, 10) }

  draw() {
    const width = this.width = this.frame.clientWidth, ratio = window.devicePixelRatio || 1
    if (!width) return
    const left = 38, top = 16, cell = Math.max(4.5, Math.min(17, (width - left - 2) / 53)), gap = cell > 8 ? 2 : 1, block = 7 * cell + (cell > 8 ? 22 : 16)
    Object.assign(this, {left, top, cell, block})
    const height = top + block * this.years.length - (block - 7 * cell) + 2
    this.canvas.width = width * ratio; this.canvas.height = height * ratio
    this.canvas.style.height = `${height}px`
    const {data} = this, most = Math.max(...data.counts), scale = logScale(most), colours = RAMPS[isDark(this.frame) ? "dark" : "light"]
    const draw = this.canvas.getContext("2d"), ink = getComputedStyle(this.frame).color
    draw.scale(ratio, ratio)
    draw.clearRect(0, 0, width, height)
    draw.font = `${cell > 8 ? 12 : 10}px Roboto, sans-serif`
    draw.textBaseline = "middle"
    this.years.forEach((year, row) => {
      const first = Date.UTC(year, 0, 1), offset = (new Date(first).getUTCDay() + 6) % 7, y0 = top + row * block
      draw.fillStyle = ink
      draw.globalAlpha = 0.8
      draw.fillText(String(year), 0, y0 + 3.5 * cell)
      draw.globalAlpha = 0.55
      MONTH_NAMES.forEach((name, month) => {
        const week = Math.floor(((Date.UTC(year, month, 1) - first) / DAY_MS + offset) / 7)
        if (cell > 8 || month % 2 === 0) draw.fillText(name, left + week * cell, y0 - 7)
      })
      draw.globalAlpha = 1
      const days = (Date.UTC(year + 1, 0, 1) - first) / DAY_MS
      for (let d = 0; d < days; d++) {
        const i = Math.round((first - this.start) / DAY_MS) + d, slot = d + offset, count = data.counts[i]
        const inside = i >= 0 && i < data.counts.length
        draw.fillStyle = count > 0 ? `rgb(${ramp(colours, scale(count)).join()})` : inside ? "rgba(120,140,160,.22)" : "rgba(120,140,160,.09)"
        const x = Math.round(left + Math.floor(slot / 7) * cell), y = Math.round(y0 + slot % 7 * cell), side = Math.floor(cell) - gap
        draw.fillRect(x, y, side, side)
      }
    })
    this.key.replaceChildren(legend(colours, most))
    this.canvas.setAttribute("aria-label", `Soundings of ${data.name} on each day from ${data.first} to ${this.dayOf(data.counts.length - 1)}: ${data.total.toLocaleString("en")} on ${data.days} days. A table by month follows.`)
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect(), x = event.clientX - box.left - this.left, y = event.clientY - box.top - this.top
    const row = Math.floor(y / this.block), year = this.years[row], line = Math.floor((y - row * this.block) / this.cell), week = Math.floor(x / this.cell)
    if (year === undefined || x < 0 || line < 0 || line > 6) return null
    const first = Date.UTC(year, 0, 1), d = week * 7 + line - (new Date(first).getUTCDay() + 6) % 7
    if (d < 0 || d >= (Date.UTC(year + 1, 0, 1) - first) / DAY_MS) return null
    const i = Math.round((first - this.start) / DAY_MS) + d
    return {day: new Date(first + d * DAY_MS).toISOString().slice(0, 10), count: this.data.counts[i] ?? 0, x: event.clientX - box.left, y: event.clientY - box.top}
  }

  hover(event) {
    const at = this.at(event)
    this.tip.hidden = !at
    this.canvas.style.cursor = at?.count ? "pointer" : "default"
    if (!at) return
    const [year, month, date] = at.day.split("-").map(Number)
    this.tip.textContent = `${date} ${MONTH_NAMES[month - 1]} ${year}: ${at.count ? plural(at.count, "sounding") : "none"}`
    this.tip.style.left = `${Math.min(at.x + 12, this.frame.clientWidth - this.tip.offsetWidth - 4)}px`
    this.tip.style.top = `${at.y + 14}px`
  }
}

// Where soundings lie: a map of the globe in cells of one degree.
class Whereabouts {
  constructor(go) {
    this.go = go
    this.canvas = make("canvas", {role: "img"})
    this.tip = make("div", {class: "tip", hidden: true})
    this.frame = make("div", {class: "where"}, this.canvas, this.tip)
    this.key = make("div")
    this.said = make("span", {class: "note", role: "status"}, "Counting …")
    this.node = make("div", {}, this.frame, make("div", {class: "under"}, this.said, this.key))
    this.canvas.onpointermove = event => this.hover(event)
    this.canvas.onpointerleave = () => { this.tip.hidden = true }
    this.canvas.onclick = event => { const at = this.at(event); if (at?.count) this.go(at.lon, at.lat) }
    new ResizeObserver(() => { if (this.frame.clientWidth !== this.width) this.draw() }).observe(this.frame)
    fetch(new URL("data/outline?kind=coastlines&resolution=110m", document.baseURI)).then(answer => answer.ok ? answer.arrayBuffer() : null).then(body => { if (body) { this.coast = new Float32Array(body); this.draw() } }).catch(() => {})
  }

  wait() { this.said.textContent = "Counting …" }

  show(facts) {
    const bytes = Uint8Array.from(atob(facts.counts), each => each.charCodeAt(0))
    this.counts = new Float32Array(bytes.buffer)
    this.facts = facts
    this.said.textContent = `${plural(facts.total, "sounding")}${facts.instrument ? ` of ${facts.instrument}` : ""}${facts.year ? ` in ${facts.year}` : ""}, in cells of 1°. A click opens the place on the map.`
    this.draw()
  }

  draw() {
    const width = this.width = this.frame.clientWidth, ratio = window.devicePixelRatio || 1, height = Math.round(width / 2)
    if (!width) return
    this.canvas.width = width * ratio; this.canvas.height = height * ratio
    this.canvas.style.height = `${height}px`
    const draw = this.canvas.getContext("2d"), dark = isDark(this.frame), colours = RAMPS[dark ? "dark" : "light"]
    draw.scale(ratio, ratio)
    draw.fillStyle = dark ? "#0c151d" : "#f4f7f9"
    draw.fillRect(0, 0, width, height)
    if (this.counts) {
      const scale = logScale(this.facts.most), image = new ImageData(360, 180)
      for (let row = 0; row < 180; row++) for (let column = 0; column < 360; column++) {
        const count = this.counts[row * 360 + column]
        if (!(count > 0)) continue
        const at = ((179 - row) * 360 + column) * 4, [r, g, b] = ramp(colours, 0.15 + 0.85 * scale(count))
        image.data.set([r, g, b, 255], at)
      }
      const small = make("canvas", {width: 360, height: 180})
      small.getContext("2d").putImageData(image, 0, 0)
      draw.imageSmoothingEnabled = false
      draw.drawImage(small, 0, 0, width, height)
      this.key.replaceChildren(legend(colours, this.facts.most))
      this.canvas.setAttribute("aria-label", `Map of ${this.said.textContent}`)
    }
    if (this.coast) {
      draw.strokeStyle = dark ? "rgba(200,215,225,.55)" : "rgba(50,70,85,.6)"
      draw.lineWidth = 0.7
      draw.beginPath()
      let pen = false
      for (let i = 0; i < this.coast.length; i += 2) {
        const lon = this.coast[i], lat = this.coast[i + 1]
        if (Number.isNaN(lon)) { pen = false; continue }
        const x = (lon + 180) / 360 * width, y = (90 - lat) / 180 * height
        pen ? draw.lineTo(x, y) : draw.moveTo(x, y)
        pen = true
      }
      draw.stroke()
    }
  }

  at(event) {
    if (!this.counts) return null
    const box = this.canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top
    const column = Math.floor(x / box.width * 360), row = 179 - Math.floor(y / box.height * 180)
    if (column < 0 || column > 359 || row < 0 || row > 179) return null
    return {lon: column - 179.5, lat: row - 89.5, count: this.counts[row * 360 + column], x, y}
  }

  hover(event) {
    const at = this.at(event)
    this.tip.hidden = !at
    if (!at) return
    this.canvas.style.cursor = at.count ? "pointer" : "default"
    this.tip.textContent = `${Math.abs(at.lat)}°${at.lat < 0 ? "S" : "N"} ${Math.abs(at.lon)}°${at.lon < 0 ? "W" : "E"}: ${at.count ? plural(at.count, "sounding") : "none"}`
    this.tip.style.left = `${Math.min(at.x + 12, this.frame.clientWidth - this.tip.offsetWidth - 4)}px`
    this.tip.style.top = `${at.y + 14}px`
  }
}
