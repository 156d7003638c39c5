// The browser half of the Explore page. The Bokeh figures bring tools, axes and overlays; this script fetches the window of the map
// that the screen shows (codes, not colours), paints it through a look-up table, and keeps everything that follows from the month
// or the visible window in step without asking Python: cursors, zonal mean, histogram, hover, play.
//
// Python -> here: link.spec, a JSON description of what to show; compared with the last one, only what changed is done.
// here -> Python: link.message, one JSON event at a time: {kind: "view" | "step" | "pick" | "shape" | "pop" | "limits", ...}.

const {HALF_TURN, MARGIN, mercY, mercLat, hex, paintInto} = window.mapPicture
const CACHE_BYTES = 160e6      // windows kept for going back and forth in time
const LARGEST = 0.998         // quantile that a logarithmic scale ends at
const IDLE_MS = 180            // quiet time before Python is told and neighbours are fetched
const SMALLEST = 60            // pixels; a smaller figure is not a map yet

const wrap = lon => ((lon + 180) % 360 + 360) % 360 - 180

const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]

// '2021-07' -> 'July 2021', '2021-07-14T12:30' -> '14 Jul 2021 12:30 UTC'.
function say(label) {
  const [year, month, rest] = (label ?? "").split("-")
  if (!month) return year
  const name = MONTHS[Number(month) - 1] ?? month
  if (!rest) return `${name} ${year}`
  const [day, clock] = rest.split("T")
  return `${Number(day)} ${name.slice(0, 3)} ${year}${clock ? ` ${clock} UTC` : ""}`
}

function bus() {
  return (window.carbonweather ??= Object.assign(new EventTarget(), {maps: new Map(), say}))
}

function debounce(fn, ms) {
  let timer = null
  return (...args) => { clearTimeout(timer); timer = setTimeout(() => fn(...args), ms) }
}

class Windows {
  // Fetches and keeps decoded windows; a repeated request joins the one under way.
  constructor() { this.kept = new Map(); this.bytes = 0; this.pending = new Map() }

  peek(url) {
    const hit = this.kept.get(url)
    if (hit) { this.kept.delete(url); this.kept.set(url, hit) }
    return hit
  }

  get(url) {
    const hit = this.peek(url)
    if (hit) return Promise.resolve(hit)
    let wait = this.pending.get(url)
    if (!wait) {
      wait = this.load(url).finally(() => this.pending.delete(url))
      this.pending.set(url, wait)
    }
    return wait
  }

  async load(url) {
    const entry = await (window.mapPicture.fetched(url) ?? window.mapPicture.load(url))
    this.kept.set(url, entry)
    this.bytes += entry.codes.byteLength
    for (const [key, old] of this.kept) {
      if (this.bytes <= CACHE_BYTES || key === url) break
      this.kept.delete(key)
      this.bytes -= old.codes.byteLength
    }
    return entry
  }
}

// Colours of dots: those of the map where it is of the same kind, else their own.
const dotColours = (points, units, colours) => points.units === units ? {...colours, missing: 0}
  : {palette: points.palette.map(hex), low: points.low, high: points.high, missing: 0}

const value = (layer, i) => {
  const code = layer.codes[i]
  if (layer.dtype === "int16") return code === -32768 ? NaN : layer.offset + layer.scale * code
  return code
}

function hatch(out, layer, threshold, width, dark) {
  const ink = dark ? 0xb0ffffff : 0xa0202020, rows = layer.codes.length / width
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < width; c++)
      if ((r + c) % 7 === 0 && value(layer, r * width + c) >= threshold) out[r * width + c] = ink
}

class Distribution {
  // Weighted values: mean, quantiles and shares from 2000 fine bins between the extremes.
  constructor(values, weights) {
    let lowest = Infinity, highest = -Infinity
    for (const v of values) { if (v < lowest) lowest = v; if (v > highest) highest = v }
    if (highest <= lowest) { lowest -= 0.5; highest += 0.5 }
    this.lowest = lowest
    this.width = (highest - lowest) / 1999.999
    this.fine = new Float64Array(2000)
    this.total = 0
    let sum = 0
    for (let i = 0; i < values.length; i++) {
      this.fine[(values[i] - lowest) / this.width | 0] += weights[i]
      this.total += weights[i]
      sum += weights[i] * values[i]
    }
    this.mean = sum / this.total
  }

  centre(i) { return this.lowest + (i + 0.5) * this.width }

  quantile(q) {
    let seen = 0
    for (let i = 0; i < 2000; i++) { seen += this.fine[i]; if (seen >= q * this.total) return this.centre(i) }
    return this.centre(1999)
  }

  shares(from, to, bins) {
    // Percent of the weight in each of the bins between two values.
    const top = new Array(bins).fill(0)
    for (let i = 0; i < 2000; i++) {
      const k = Math.floor((this.centre(i) - from) / (to - from) * bins)
      if (k >= 0 && k < bins) top[k] += this.fine[i] / this.total * 100
    }
    return top
  }
}

class Pane {
  // One figure with a map in it.
  constructor(models) {
    Object.assign(this, models)
    this.Rgba = this.image.data.image[0].constructor
  }

  put(source, out, frame) {
    const image = new this.Rgba(out.buffer, [frame.h, frame.w])
    source.setv({data: {image: [image], x: [frame.x0], y: [frame.y0], dw: [frame.x1 - frame.x0], dh: [frame.y1 - frame.y0]}},
                {sync: false, check_eq: false})
  }

  clear(source) { this.put(source, new Uint32Array(1), {w: 1, h: 1, x0: 0, x1: 1e-9, y0: 0, y1: 1e-9}) }
}

class Explorer {
  constructor(args) {
    this.link = args.link
    this.panes = [new Pane(args.first)]
    this.linked = args.linked
    this.main = this.panes[0]
    this.windows = new Windows()
    this.shown = {}              // the window on screen: frame, step, and main, second, std, points as fetched
    this.spec = {}
    this.playing = false
    this.swipe = 0.5
    this.busy = false
    this.again = false
    this.sequence = 0
    this.reported = 0            // number of the last report of the visible window
    this.tellView = debounce(() => this.say("view", this.viewport()), IDLE_MS)
    this.tellStep = debounce(() => this.say("step", {step: this.step}), IDLE_MS)
    this.settle = debounce(() => this.settled(), IDLE_MS)
    bus().maps.set(this.link.id, this)
    bus().current = this
    for (const range of [this.main.fig.x_range, this.main.fig.y_range])
      for (const edge of ["start", "end"]) range.properties[edge].change.connect(() => this.moved())
    this.main.swipe.properties.location.change.connect(() => this.swiped())
    this.link.properties.second.change.connect(() => this.adopt())
    this.link.properties.sites.change.connect(() => this.project())
    this.link.properties.spec.change.connect(() => this.apply(JSON.parse(this.link.spec)))
    window.addEventListener("popstate", this.onpop = () => this.say("pop", {query: window.location.search.slice(1)}))
    this.onpointer = event => { this.pointer = [event.clientX, event.clientY] }
    for (const name of ["pointermove", "pointerdown"]) window.addEventListener(name, this.onpointer, {passive: true, capture: true})
    this.apply(JSON.parse(this.link.spec))
    this.adopt()
  }

  adopt() {
    // A second map has been made for comparison.
    const {second} = this.link
    if (!second || this.panes.length > 1) return
    this.panes.push(new Pane(second instanceof Map ? Object.fromEntries(second) : second))
    this.outlineKeys = null
    this.project()
    if (this.last) { this.ticks(); this.drawOutlines() }
    this.refresh()
  }

  say(kind, body) {
    this.link.message = JSON.stringify({kind, n: ++this.sequence, ...body})
    return this.sequence
  }

  // ---- what Python wants -------------------------------------------------------------------------------------------

  apply(spec) {
    const old = this.spec
    this.spec = spec
    this.colours = spec.palette.map(hex)
    if (old.seq !== spec.seq) this.step = spec.step
    else if (spec.labels.length !== old.labels.length) {  // steps have appeared: stay at the same time
      const same = spec.labels.indexOf(old.labels[this.step])
      this.step = same >= 0 ? same : spec.step
    }
    if (old.projection !== spec.projection) { this.project(); this.go(spec.at ?? this.centre()) }
    else if (spec.at && JSON.stringify(old.at) !== JSON.stringify(spec.at) && spec.goto !== old.goto) this.go(spec.at)
    if (JSON.stringify([old.point, old.region]) !== JSON.stringify([spec.point, spec.region])) this.drawSelection()
    if (JSON.stringify(old.layers) !== JSON.stringify(spec.layers)) this.drawOutlines()
    if (spec.query != null && spec.query !== old.query) this.address(spec.query, old.query == null)
    bus().dispatchEvent(new CustomEvent("frames", {detail: {labels: spec.labels, step: this.step}}))
    this.cursors()
    const same = keys => keys.every(key => JSON.stringify(old[key]) === JSON.stringify(spec[key]))
    const held = same(["layer", "other", "compare", "layers", "std", "projection"]) && this.shown.step === this.step
    if (!held) this.refresh()
    else if (!same(["palette", "low", "high", "log", "dark"])) this.paint()
  }

  address(query, replace) {
    // Moving the map rewrites the entry of the history; everything else makes a new one that the back button returns to.
    const now = window.location.search.slice(1), still = text => text.replace(/(^|&)at=[^&]*/, "")
    if (now === query) return
    window.history[replace || still(now) === still(query) ? "replaceState" : "pushState"]({}, "", window.location.pathname + "?" + query)
  }

  // ---- geometry ----------------------------------------------------------------------------------------------------

  get mercator() { return this.spec.projection === "mercator" }
  toX(lon) { return this.mercator ? lon * HALF_TURN / 180 : lon }
  toY(lat) { return this.mercator ? mercY(lat) : lat }
  toLon(x) { return this.mercator ? x * 180 / HALF_TURN : x }
  toLat(y) { return this.mercator ? mercLat(y) : y }

  size() {
    const {fig} = this.main
    try { return [Math.max(1, Math.round(fig.inner_width)), Math.max(1, Math.round(fig.inner_height))] } catch { return null }
  }

  bounds() {
    const {x_range: x, y_range: y} = this.main.fig
    return {x0: x.start, x1: x.end, y0: y.start, y1: y.end}
  }

  centre() {
    const {x0, x1, y0, y1} = this.bounds()
    return [this.toLon((x0 + x1) / 2), this.toLat((y0 + y1) / 2), this.toLon(x1) - this.toLon(x0)]
  }

  viewport() {
    const {x0, x1, y0, y1} = this.bounds(), [lon, lat, span] = this.centre()
    return {lon, lat: Math.max(-90, Math.min(90, lat)), span, west: this.toLon(x0), east: this.toLon(x1),
            south: Math.max(-90, this.toLat(y0)), north: Math.min(90, this.toLat(y1))}
  }

  go(at) {
    const size = this.size()
    if (!size) return
    const {x0, x1, y0, y1} = window.mapPicture.place(at, size, this.mercator)
    this.placing = true
    this.main.fig.x_range.setv({start: x0, end: x1})
    this.main.fig.y_range.setv({start: y0, end: y1})
    this.placing = false
    this.moved()
  }

  resized() {
    const size = this.size()
    if (!size || size[0] < SMALLEST || size[1] < SMALLEST) return  // a page that is still being laid out
    if ((this.last && this.last[0] === size[0] && this.last[1] === size[1])) return
    const first = !this.last
    this.last = size
    if (first) this.say("screen", {width: window.innerWidth})
    this.go(first ? this.spec.at : this.centre())
  }

  moved() {
    if (this.placing || !this.last) return
    this.ticks()
    this.refresh()
    this.drawOutlines()
    this.tellView()
    this.settle()
  }

  ticks() {
    const {x0, x1, y0, y1} = this.bounds(), [width, height] = this.last
    const steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 90]
    const marks = (from, to, pixels) => {
      const step = steps.find(s => (to - from) / s <= Math.max(2, pixels / 80)) ?? 180, out = []
      for (let v = Math.ceil(from / step) * step; v <= to && out.length < 60; v += step) out.push(Math.round(v * 1e4) / 1e4)
      return out
    }
    const lons = marks(this.toLon(x0), this.toLon(x1), width)
    const lats = marks(Math.max(-90, this.toLat(y0)), Math.min(90, this.toLat(y1)), height)
    for (const pane of this.panes) {
      pane.xticker.setv({ticks: lons.map(v => this.toX(v))}, {sync: false})
      pane.yticker.setv({ticks: lats.map(v => this.toY(v))}, {sync: false})
    }
  }

  project() {
    const {sites} = this.link, layers = sites instanceof Map ? [...sites.values()] : Object.values(sites ?? {})
    for (const source of layers.flat()) {
      const {lon, lat} = source.data
      const x = Array.from(lon, v => this.toX(v)), y = Array.from(lat, v => this.toY(v))
      source.setv({data: {...source.data, x, y}}, {sync: false, check_eq: false})
    }
    this.drawSelection()
  }

  // ---- the map -----------------------------------------------------------------------------------------------------

  frame() {
    // nobody pans while it plays, and without a margin each frame is painted a third sooner
    return window.mapPicture.frame(this.bounds(), this.last, this.playing ? 0 : MARGIN)
  }

  url(path, frame, extra) { return window.mapPicture.url(path, frame, this.spec.projection, extra) }

  layerUrl(layer, step, frame, other, otherStep) {
    if (!other) return window.mapPicture.layerUrl(layer, step, frame, this.spec.projection)
    const extra = {cube: layer.cube, var: layer.variable, step}
    Object.assign(extra, {cube2: other.cube, var2: other.variable, step2: otherStep, version: `${layer.version}.${other.version}`})
    return this.url("data/window", frame, extra)
  }

  wanted(step, frame) {
    // URLs of what the panes show at a step of the first map.
    const {layer, other, compare} = this.spec
    const main = compare === "difference" ? this.layerUrl(layer, step, frame, other, other.step) : this.layerUrl(layer, step, frame)
    const second = compare === "side" || compare === "swipe" ? this.layerUrl(other, other.step, frame) : null
    const std = this.spec.std && this.has("uncertainty") ? this.layerUrl(this.spec.std, step, frame) : null
    const dots = (layer, variable) => this.has(layer) && this.spec.periods
      ? this.url("data/points", frame, {variable, start: this.spec.periods[step][0], end: this.spec.periods[step][1]}) : null
    return {main, second, std, points: dots("soundings", "xco2"), sif: dots("sif", "sif")}
  }

  has(layer) { return this.spec.layers.includes(layer) }

  async refresh() {
    if (!this.last || !this.spec.layer) return
    if (this.busy) { this.again = true; return }
    this.busy = true
    try {
      do {
        this.again = false
        await this.draw(this.step)
      } while (this.again)
    } finally { this.busy = false }
  }

  async draw(step) {
    const frame = this.frame(), urls = this.wanted(step, frame)
    let main, second, std, points, sif
    try {
      [main, second, std, points, sif] = await Promise.all(
        [urls.main, urls.second, urls.std, urls.points, urls.sif].map(url => url ? this.windows.get(url) : null))
    } catch (error) {
      this.say("error", {sentence: error.message})
      return
    }
    this.shown = {frame, main, second, std, points, sif, step}
    const none = [[points, "XCO2"], [sif, "SIF"]].filter(([dots]) => dots && !dots.count).map(([, what]) => what).join(" or ")
    if (none && !this.playing && this.emptyMonth !== none + step) {
      this.emptyMonth = none + step
      this.say("error", {sentence: `There are no soundings with ${none} of ${say(this.spec.labels[step].slice(0, 7))} in the data folder.`})
    }
    this.paint()
    bus().dispatchEvent(new CustomEvent("painted", {detail: {step, frame, version: this.spec.seq}}))
  }

  paint() {
    const {frame, main, second, std, points, sif} = this.shown
    if (!main) return
    const {low, high, log, compare, dark, units} = this.spec, n = frame.w * frame.h
    const colours = {palette: this.colours, low, high, log, missing: window.mapPicture.missing(dark)}
    const out = new Uint32Array(n), all = [0, frame.w]
    let edge = frame.w
    if (compare === "swipe" && second) {
      const {x0, x1} = this.bounds()
      edge = Math.max(0, Math.min(frame.w, Math.round((x0 + this.swipe * (x1 - x0) - frame.x0) / (frame.x1 - frame.x0) * frame.w)))
      paintInto(out, second, colours, [edge, frame.w], frame.w)
    }
    paintInto(out, main, colours, [0, edge], frame.w)
    window.mapPicture.clearBeyondPoles(out, frame, this.mercator)
    if (std) hatch(out, std, this.spec.std.threshold, frame.w, dark)
    this.main.put(this.main.image, out, frame)
    if (compare === "side" && second && this.panes[1]) {
      const right = new Uint32Array(n)
      paintInto(right, second, colours, all, frame.w)
      window.mapPicture.clearBeyondPoles(right, frame, this.mercator)
      this.panes[1].put(this.panes[1].image, right, frame)
    }
    if (points || sif) {
      const dots = new Uint32Array(n)
      if (points) paintInto(dots, points, dotColours(points, units, colours), all, frame.w)
      if (sif) {
        const above = new Uint32Array(n)
        paintInto(above, sif, dotColours(sif, units, colours), all, frame.w)
        for (let i = 0; i < n; i++) if (above[i]) dots[i] = above[i]
      }
      this.main.put(this.main.points, dots, frame)
      this.dotted = true
    } else if (this.dotted) { this.main.clear(this.main.points); this.dotted = false }
    this.drawSwipe()
    this.title()
    if (!this.playing) this.settle()
    if (!this.told) {
      this.told = true
      requestAnimationFrame(() => setTimeout(() => { this.say("ready", {}); window.mapPicture.dismiss() }, 0))
    }
    document.documentElement.dataset.painted = String(++this.paints || (this.paints = 1))
  }

  drawSwipe() {
    const on = this.spec.compare === "swipe", {x0, x1} = this.bounds(), span = this.main.swipe
    if (span.visible !== on) span.setv({visible: on}, {sync: false})
    if (on) span.setv({location: x0 + this.swipe * (x1 - x0)}, {sync: false})
  }

  // ---- time --------------------------------------------------------------------------------------------------------

  setStep(step) {
    const last = this.spec.labels.length - 1
    step = Math.max(0, Math.min(last, step))
    if (step === this.step) return
    this.step = step
    this.cursors()
    bus().dispatchEvent(new CustomEvent("step", {detail: {step}}))
    this.refresh()
    if (!this.playing) { this.tellStep(); this.settle() }
  }

  async heard() {
    // Colour limits stay locked while playing: those of the last report must have come back first.
    for (let waited = 0; this.spec.auto && (this.spec.window ?? 0) < this.reported && waited < 1000; waited += 20)
      await new Promise(resolve => setTimeout(resolve, 20))
  }

  async play(on, rate = () => 8) {
    if (this.playing === on) return
    if (on) await this.heard()
    if (this.playing === on) return
    this.playing = on
    bus().dispatchEvent(new CustomEvent("playing", {detail: {on}}))
    while (this.playing) {
      const begun = performance.now(), count = this.spec.labels.length, next = (this.step + 1) % count
      this.step = next
      this.cursors()
      bus().dispatchEvent(new CustomEvent("step", {detail: {step: next}}))
      const frame = this.frame()
      for (let ahead = 1; ahead <= 2; ahead++)
        this.windows.get(this.wanted((next + ahead) % count, frame).main).catch(() => null)
      await this.refresh()
      const rest = 1000 / rate() - (performance.now() - begun)
      await new Promise(resolve => rest > 4 ? setTimeout(resolve, rest) : requestAnimationFrame(resolve))
    }
    this.say("step", {step: this.step})
    this.refresh()
  }

  title() {
    const {fig} = this.main, {compare, second} = this.spec
    let text = [this.spec.title, say(this.spec.labels[this.step])].filter(Boolean).join(" · ")
    if (compare === "difference") text += `  minus  ${second}`
    if (compare === "swipe") text = `left: ${text}    right: ${second}`
    const {sif} = this.shown
    if (sif?.count) text += `  ·  dots: SIF, ${sif.low.toFixed(1)} (light) to ${sif.high.toFixed(1)} ${sif.units}`
    if (fig.title.text !== text) fig.title.setv({text}, {sync: false})
  }

  cursors() {
    this.title()
    const when = this.spec.times?.[this.step]
    if (when == null) return
    for (const cursor of this.linked.cursors) cursor.setv({location: when}, {sync: false})
    const picture = this.linked.hovmoller.data
    if (!picture.image?.length) return
    const image = picture.image[0], [rows, columns] = image.shape
    const column = this.spec.hovmoller_columns?.[this.step] ?? this.step
    if (column >= columns) return
    const lat = picture.lat[0], x = [], y = []
    for (let r = 0; r < rows; r++) {
      const v = image[r * columns + column]
      if (v === v) { x.push(v); y.push(lat[r]) }
    }
    this.linked.zonal.setv({data: {x, y}}, {sync: false, check_eq: false})
    if (x.length) {
      const low = Math.min(...x), high = Math.max(...x)
      const pad = Math.max(0.05 * (high - low), 0.1 * (this.spec.high - this.spec.low))
      this.linked.zonal_range.setv({start: low - pad, end: high + pad}, {sync: false})
    }
  }

  // ---- once the screen is quiet ------------------------------------------------------------------------------------

  settled() {
    if (!this.shown?.main || this.playing) return
    this.histogram()
    const frame = this.frame(), count = this.spec.labels.length
    for (const step of [this.step + 1, this.step - 1])
      if (step >= 0 && step < count && this.spec.compare === "off" && !this.has("soundings") && !this.has("sif"))
        this.windows.get(this.wanted(step, frame).main).catch(() => null)
  }

  visible(layer) {
    // Values of the visible pixels (thinned to what a histogram needs) and the area each stands for; powers of ten of the positive
    // ones where the scale is logarithmic.
    const {frame} = this.shown, {x0, x1, y0, y1} = this.bounds(), {log} = this.spec
    const inside = (a, b, low, high, n) => [Math.max(0, Math.round((a - low) / (high - low) * n)), Math.min(n, Math.round((b - low) / (high - low) * n))]
    const [left, right] = inside(x0, x1, frame.x0, frame.x1, frame.w), [bottom, top] = inside(y0, y1, frame.y0, frame.y1, frame.h)
    const stride = Math.max(1, Math.floor(Math.sqrt((right - left) * (top - bottom) / 150000)))
    const values = [], weights = []
    for (let r = bottom; r < top; r += stride) {
      const lat = this.toLat(frame.y0 + (r + 0.5) / frame.h * (frame.y1 - frame.y0))
      if (Math.abs(lat) > 90) continue
      const cosine = Math.cos(lat * Math.PI / 180), weight = this.mercator ? cosine * cosine : cosine
      for (let c = left; c < right; c += stride) {
        const v = value(layer, r * frame.w + c)
        if (v === v && (!log || v > 0)) { values.push(log ? Math.log10(v) : v); weights.push(weight) }
      }
    }
    return new Distribution(values, weights)
  }

  histogram() {
    const {main, second} = this.shown, {histogram} = this.linked, seen = this.visible(main)
    if (!seen.total) {
      histogram.setv({data: {left: [], right: [], top: [], colour: []}}, {sync: false, check_eq: false})
      return
    }
    const from = seen.quantile(0.002), to = Math.max(seen.quantile(0.998), from + 1e-9 * Math.abs(from) + 1e-12)
    // bins no finer than the steps in which the values are stored, or empty ones would show
    const {log} = this.spec, quantum = main.dtype === "int16" && !log ? main.scale : 0
    const bins = Math.max(1, Math.min(60, quantum ? Math.floor((to - from) / quantum / Math.ceil((to - from) / quantum / 60)) : 60))
    const top = seen.shares(from, to, bins), [low, high] = [this.spec.low, this.spec.high].map(v => log ? Math.log10(v) : v)
    const n = this.colours.length
    const left = top.map((_, k) => from + k / bins * (to - from)), right = top.map((_, k) => from + (k + 1) / bins * (to - from))
    const colour = left.map((v, k) => {
      const j = Math.floor(((v + right[k]) / 2 - low) / (high - low) * n)
      return this.spec.palette[j < 0 ? 0 : j >= n ? n - 1 : j]
    })
    histogram.setv({data: {left, right, top, colour}}, {sync: false, check_eq: false})
    const [across, up] = this.linked.histogram_ranges
    across.setv({start: from, end: to}, {sync: false})
    up.setv({start: 0, end: 1.06 * Math.max(...top)}, {sync: false})
    const highest = log ? LARGEST : 0.98  // the few cells that emit most are what such maps are about
    const limits = [seen.quantile(0.02), seen.quantile(highest)], also = second ? this.visible(second) : null
    if (also?.total) {
      limits[0] = Math.min(limits[0], also.quantile(0.02))
      limits[1] = Math.max(limits[1], also.quantile(highest))
    }
    const [mean, low2, high2] = [seen.mean, ...limits].map(v => log ? 10 ** v : v)
    this.reported = this.say("window", {mean, low: low2, high: high2})
  }

  // ---- overlays ----------------------------------------------------------------------------------------------------

  async drawOutlines() {
    if (!this.last) return
    const {x0, x1, y0, y1} = this.bounds(), west = this.toLon(x0), east = this.toLon(x1)
    const south = this.toLat(y0), north = this.toLat(y1), resolution = window.mapPicture.resolutionFor(east - west)
    const pad = 0.15 * (east - west)
    for (const kind of ["coastlines", "borders"]) {
      const on = this.has(kind), key = on ? [kind, resolution, this.spec.projection, ...this.tile(west, east, south, north)].join() : "off"
      if (this.outlineKeys?.[kind] === key) continue
      this.outlineKeys = {...this.outlineKeys, [kind]: key}
      let x = [], y = []
      if (on) {
        const lines = await window.mapPicture.outline(kind, resolution)
        if (this.outlineKeys[kind] !== key) continue
        ;[x, y] = this.clip(lines, west - pad, east + pad, south - pad, north + pad)
      }
      for (const pane of this.panes) pane[kind].setv({data: {x, y}}, {sync: false, check_eq: false})
    }
  }

  tile(west, east, south, north) {
    // Outlines are cut again only when the view has moved by a tenth of its width.
    const unit = Math.pow(2, Math.floor(Math.log2((east - west) / 10)))
    return [west, east, south, north].map(v => Math.round(v / unit))
  }

  clip(lines, west, east, south, north) {
    const x = [], y = []
    for (let turn = Math.floor((west + 180) / 360); turn <= Math.floor((east + 180) / 360); turn++) {
      const shift = 360 * turn
      let open = false
      for (let i = 0; i < lines.length; i += 2) {
        const lon = lines[i] + shift, lat = lines[i + 1]
        const inside = lon >= west && lon <= east && lat >= south && lat <= north
        if (inside) { x.push(this.toX(lon)); y.push(this.toY(lat)); open = true }
        else if (open) { x.push(NaN); y.push(NaN); open = false }
      }
      x.push(NaN); y.push(NaN)
    }
    return [x, y]
  }

  drawSelection() {
    const {point, region} = this.spec, x = [], y = []
    for (const ring of region ?? []) {
      for (const [lon, lat] of ring) { x.push(this.toX(lon)); y.push(this.toY(lat)) }
      x.push(NaN); y.push(NaN)
    }
    for (const pane of this.panes) {
      pane.region.setv({data: {x, y}}, {sync: false, check_eq: false})
      pane.point.setv({data: point ? {x: [this.toX(point[0])], y: [this.toY(point[1])]} : {x: [], y: []}}, {sync: false, check_eq: false})
    }
  }

  // ---- what people do with the map ---------------------------------------------------------------------------------

  pixel(x, y) {
    const {frame} = this.shown
    if (!frame) return -1
    const c = Math.floor((x - frame.x0) / (frame.x1 - frame.x0) * frame.w), r = Math.floor((y - frame.y0) / (frame.y1 - frame.y0) * frame.h)
    return c < 0 || r < 0 || c >= frame.w || r >= frame.h ? -1 : r * frame.w + c
  }

  hover(x, y, inSecond) {
    if (!this.shown?.main) return
    const i = this.pixel(x, y), lat = this.toLat(y), lon = wrap(this.toLon(x))
    if (i < 0 || Math.abs(lat) > 90) return this.tip(null)
    const {units, digits, log} = this.spec
    const right = this.shown.second && (inSecond || (this.spec.compare === "swipe" && x > this.main.swipe.location))
    const text = (layer, after = units) => {
      const v = value(layer, i)
      return v === v ? `${log ? Number(v.toPrecision(3)) : v.toFixed(digits)} ${after}` : "no data"
    }
    const place = `${Math.abs(lat).toFixed(2)}°${lat < 0 ? "S" : "N"} ${Math.abs(lon).toFixed(2)}°${lon < 0 ? "W" : "E"}`
    let body = text(right ? this.shown.second : this.shown.main)
    if (this.shown.std) body += ` ± ${text(this.shown.std, "")}`
    for (const [dots, what] of [[this.shown.points, "XCO2"], [this.shown.sif, "SIF"]]) {
      const v = dots ? value(dots, i) : NaN
      if (v === v && !inSecond) body += ` · ${what} ${v.toFixed(2)} ${dots.units}`
    }
    this.tip(body, place)
  }

  tip(body, place) {
    let box = document.getElementById("cw-tip")
    if (!body || !this.pointer) { if (box) box.style.display = "none"; return }
    if (!box) {
      box = document.createElement("div")
      box.id = "cw-tip"
      box.style.cssText = "position:fixed;z-index:3000;pointer-events:none;padding:4px 8px;border-radius:6px;font:12px/1.35 Roboto,sans-serif;" +
        "background:rgba(18,28,38,.88);color:#fff;white-space:nowrap;box-shadow:0 1px 4px rgba(0,0,0,.35)"
      document.body.appendChild(box)
    }
    const strong = document.createElement("b")
    strong.textContent = body
    box.replaceChildren(strong, document.createElement("br"), place)
    box.style.display = "block"
    const [px, py] = this.pointer, flip = px > window.innerWidth - 190
    box.style.left = flip ? "auto" : `${px + 14}px`
    box.style.right = flip ? `${window.innerWidth - px + 14}px` : "auto"
    box.style.top = `${Math.min(py + 14, window.innerHeight - 50)}px`
  }

  event(event) {
    switch (event.event_name) {
      case "mousemove": return this.hover(event.x, event.y, this.panes[1] && event.origin === this.panes[1].fig)
      case "mouseleave": return this.tip(null)
      case "reset": return this.home()
      case "tap": {
        const lat = this.toLat(event.y)
        if (Math.abs(lat) <= 90) this.say("pick", {lon: wrap(this.toLon(event.x)), lat})
        return
      }
      case "selectiongeometry": {
        if (!event.final) return
        const g = event.geometry
        const ring = g.type === "rect" ? [[g.x0, g.y0], [g.x1, g.y0], [g.x1, g.y1], [g.x0, g.y1]] : Array.from(g.x, (x, i) => [x, g.y[i]])
        this.say("shape", {ring: ring.map(([x, y]) => [this.toLon(x), Math.max(-90, Math.min(90, this.toLat(y)))])})
      }
    }
  }

  swiped() {
    // The user drags the line; our own placing of it lands on the same fraction and changes nothing.
    const {x0, x1} = this.bounds(), fraction = Math.max(0, Math.min(1, (this.main.swipe.location - x0) / (x1 - x0)))
    if (Math.abs(fraction - this.swipe) < 1e-6) return
    this.swipe = fraction
    this.paint()
  }

  zoom(factor) {
    const [lon, lat, span] = this.centre()
    this.go([lon, lat, span * factor])
  }

  pan(right, up) {
    const {x0, x1, y0, y1} = this.bounds()
    this.go([this.toLon((x0 + x1) / 2 + right * (x1 - x0)), this.toLat((y0 + y1) / 2 + up * (y1 - y0)), this.toLon(x1) - this.toLon(x0)])
  }

  home() { this.go(this.spec.home) }
}

export default function (args, object, data) {
  let explorer = bus().maps.get(args.link.id)
  if (!explorer) {
    let ready = true
    try { void args.first.fig.inner_width } catch { ready = false }
    if (!ready) return
    explorer = new Explorer(args)
  }
  if (object?.event_name) explorer.event(object)
  else explorer.resized()
}
