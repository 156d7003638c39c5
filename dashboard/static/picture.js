// How a window of the map is placed, asked for and painted. Used twice: by the first picture, which stands on the page before its
// libraries are loaded, and by explore.js, which then takes over with the same window at the same place.

window.mapPicture ??= (() => {
  const R = 6378137, HALF_TURN = Math.PI * R, MAX_LAT = 85.0511287798
  const MARGIN = 0.12            // of the window, fetched beyond each side so that a short pan shows no edge
  const LOWEST_SPAN = 0.2        // degrees; four cells of 0.05
  const PATIENCE_MS = 20000      // after which the first picture goes even if nothing took over

  const mercY = lat => R * Math.log(Math.tan(Math.PI / 4 + Math.max(-MAX_LAT, Math.min(MAX_LAT, lat)) * Math.PI / 360))
  const mercLat = y => (2 * Math.atan(Math.exp(y / R)) - Math.PI / 2) * 180 / Math.PI
  const hex = c => (255 << 24 | parseInt(c.slice(5, 7), 16) << 16 | parseInt(c.slice(3, 5), 16) << 8 | parseInt(c.slice(1, 3), 16)) >>> 0
  const missing = dark => hex(dark ? "#1b2631" : "#e4ebf0")

  function place([lon, lat, span], [width, height], mercator) {
    // Edges of a view by its centre and width in degrees; poles stay at the edge of the screen.
    span = Math.max(LOWEST_SPAN, Math.min(span, 540))
    const scale = mercator ? HALF_TURN / 180 : 1, half = span * scale / 2, x = lon * scale, tall = half * height / width
    const top = mercator ? HALF_TURN : 90
    let y = mercator ? mercY(lat) : lat
    y = tall >= top ? 0 : Math.max(-top + tall, Math.min(top - tall, y))
    return {x0: x - half, x1: x + half, y0: y - tall, y1: y + tall}
  }

  function frame({x0, x1, y0, y1}, [width, height], margin = MARGIN) {
    const mx = margin * (x1 - x0), my = margin * (y1 - y0)
    const w = Math.round(width * (1 + 2 * margin)), h = Math.round(height * (1 + 2 * margin))
    return {x0: x0 - mx, x1: x1 + mx, y0: y0 - my, y1: y1 + my, w, h}
  }

  function url(path, frame, projection, extra) {
    const q = new URLSearchParams({...extra, proj: projection, w: frame.w, h: frame.h})
    for (const key of ["x0", "x1", "y0", "y1"]) q.set(key, frame[key].toPrecision(12))
    return `${path}?${q}`
  }

  const layerUrl = (layer, step, frame, projection) =>
    url("data/window", frame, projection, {cube: layer.cube, var: layer.variable, step, version: layer.version})

  async function load(address) {
    const response = await fetch(new URL(address, document.baseURI))
    if (!response.ok) {
      const text = await response.text()
      let sentence = `The map could not be read (${response.status}).`
      try { sentence = JSON.parse(text).error ?? sentence } catch { /* a plain text error keeps the general sentence */ }
      throw new Error(sentence)
    }
    const meta = JSON.parse(response.headers.get("X-Carbonweather")), buffer = await response.arrayBuffer()
    return {codes: meta.dtype === "int16" ? new Int16Array(buffer) : new Float32Array(buffer), ...meta}
  }

  const scaled = log => log ? v => v > 0 ? Math.log(v) : NaN : v => v  // zero has no place on a logarithmic scale

  function lookup(layer, palette, low, high, missing, log) {
    // Colour of every int16 code: one table, so that painting is one read a pixel.
    const on = scaled(log), from = on(low), table = new Uint32Array(65536), n = palette.length, norm = n / (on(high) - from)
    table[0] = missing
    for (let code = -32767; code < 32768; code++) {
      const k = Math.floor((on(layer.offset + layer.scale * code) - from) * norm)
      table[code + 32768] = k !== k ? missing : palette[k < 0 ? 0 : k >= n ? n - 1 : k]
    }
    return table
  }

  function paintInto(out, layer, {palette, low, high, missing, log}, [from, to], width) {
    // [from, to): the columns of each row that this layer fills.
    const {codes} = layer, rows = codes.length / width
    if (layer.dtype === "int16") {
      const table = lookup(layer, palette, low, high, missing, log)
      for (let r = 0; r < rows; r++)
        for (let i = r * width + from, end = r * width + to; i < end; i++) out[i] = table[codes[i] + 32768]
      return
    }
    const n = palette.length, start = log ? Math.log(low) : low, norm = n / ((log ? Math.log(high) : high) - start)
    for (let r = 0; r < rows; r++)
      for (let i = r * width + from, end = r * width + to; i < end; i++) {
        const v = codes[i]
        if (v !== v || (log && v <= 0)) { out[i] = missing; continue }
        const k = Math.floor(((log ? Math.log(v) : v) - start) * norm)
        out[i] = palette[k < 0 ? 0 : k >= n ? n - 1 : k]
      }
  }

  function clearBeyondPoles(out, frame, mercator) {
    // "No data" is a statement about the Earth; above the poles there is none.
    if (mercator) return
    const row = lat => Math.max(0, Math.min(frame.h, Math.round((lat - frame.y0) / (frame.y1 - frame.y0) * frame.h)))
    out.fill(0, row(90) * frame.w)
    out.fill(0, 0, row(-90) * frame.w)
  }

  const outlines = new Map()
  function outline(kind, resolution) {
    const key = kind + resolution
    if (!outlines.has(key)) {
      const url = new URL(`data/outline?kind=${kind}&resolution=${resolution}`, document.baseURI)
      outlines.set(key, fetch(url).then(r => r.arrayBuffer()).then(b => new Float32Array(b)))
    }
    return outlines.get(key)
  }
  const resolutionFor = degrees => degrees < 120 ? "50m" : "110m"

  // ---- the first picture -------------------------------------------------------------------------------------------

  let first = null               // {url, layer}: the window that is being fetched, for whoever wants the same

  async function showFirst(spec) {
    const box = document.getElementById("first-map"), width = box.clientWidth, height = box.clientHeight
    const size = [width, height], mercator = spec.projection === "mercator"
    setTimeout(dismiss, PATIENCE_MS)
    if (width < 60 || height < 60) return
    const view = place(spec.at, size, mercator), around = frame(view, size)
    const address = layerUrl(spec.layer, spec.step, around, spec.projection)
    first = {url: address, layer: load(address)}
    const lines = spec.outlines.map(kind => outline(kind, resolutionFor(spec.at[2])))
    try { draw(box, spec, view, around, await first.layer, mercator) } catch { return }  // explore.js asks again, and says what is wrong
    box.style.visibility = "visible"
    requestAnimationFrame(() => { document.documentElement.dataset.still = "1" })
    const ctx = box.querySelector("canvas").getContext("2d")
    for (const [i, kind] of spec.outlines.entries()) drawLines(ctx, await lines[i], kind, view, size, mercator)
  }

  function draw(box, spec, view, around, layer, mercator) {
    const colours = {palette: spec.palette.map(hex), low: spec.low, high: spec.high, log: spec.log, missing: missing(spec.dark)}
    const out = new Uint32Array(around.w * around.h), flipped = new Uint32Array(out.length)
    paintInto(out, layer, colours, [0, around.w], around.w)
    clearBeyondPoles(out, around, mercator)
    for (let r = 0; r < around.h; r++)
      flipped.set(out.subarray(r * around.w, (r + 1) * around.w), (around.h - 1 - r) * around.w)
    const whole = new OffscreenCanvas(around.w, around.h), canvas = box.querySelector("canvas"), [width, height] = [box.clientWidth, box.clientHeight]
    whole.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(flipped.buffer), around.w, around.h), 0, 0)
    canvas.width = width
    canvas.height = height
    const across = width / (view.x1 - view.x0), up = height / (view.y1 - view.y0)
    canvas.getContext("2d").drawImage(
      whole, (around.x0 - view.x0) * across, (view.y1 - around.y1) * up, (around.x1 - around.x0) * across, (around.y1 - around.y0) * up)
  }

  function drawLines(ctx, lines, kind, view, [width, height], mercator) {
    const scale = mercator ? HALF_TURN / 180 : 1, across = width / (view.x1 - view.x0), up = height / (view.y1 - view.y0)
    ctx.strokeStyle = kind === "borders" ? "rgb(255 255 255 / 55%)" : "rgb(16 32 44 / 85%)"
    ctx.lineWidth = kind === "borders" ? 0.7 : 0.8
    ctx.beginPath()
    for (let turn = -360; turn <= 360; turn += 360) {
      let open = false
      for (let i = 0; i < lines.length; i += 2) {
        if (lines[i] !== lines[i]) { open = false; continue }
        const x = ((lines[i] + turn) * scale - view.x0) * across
        const y = (view.y1 - (mercator ? mercY(lines[i + 1]) : lines[i + 1])) * up
        if (open) ctx.lineTo(x, y); else ctx.moveTo(x, y)
        open = true
      }
    }
    ctx.stroke()
  }

  function dismiss() {
    for (const id of ["first-map", "first-bar"]) document.getElementById(id)?.remove()
  }

  return {HALF_TURN, MARGIN, mercY, mercLat, hex, missing, place, frame, url, layerUrl, load, paintInto, clearBeyondPoles, outline,
          resolutionFor, showFirst, dismiss, fetched: address => first?.url === address ? first.layer : null}
})()
