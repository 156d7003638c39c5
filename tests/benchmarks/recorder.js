// Installed by bench_map before a page's own scripts: notes when which picture of the map was really painted.
//
// Both programs show their map as an image in a Bokeh figure, which says when it has repainted itself. A picture counts as shown at the
// frame after that, when it is surely on the screen, and as the picture of a view only if it is centred on it and covers it without
// reaching far beyond: an old picture, stretched or moved with the map, does not.

(() => {
  const SMALLEST = 400                   // pixels; narrower figures are not the map
  const CENTRE_PX = 1.5                  // by how much a picture's centre may miss that of the view
  const COVER = [0.99, 1.3]              // its size in units of the view's; less than any zoom makes of an old one
  const bench = window.bench = {last: {}, hits: [], marks: {}, pictures: 0}
  const numbers = new WeakMap()          // of pictures: array -> 1, 2, ...

  for (const type of ["wheel", "pointermove", "pointerup", "keydown"])
    window.addEventListener(type, event => { bench.last[type] = event.timeStamp }, {capture: true, passive: true})

  const models = function* () {
    for (const doc of window.Bokeh?.documents ?? []) yield* doc._all_models.values()
  }
  const imageOf = figure => figure.renderers.find(renderer => renderer.glyph?.type?.startsWith("Image"))
  const plotOf = figure => window.Bokeh.index.query_one(view => view.model === figure)

  function widest() {
    let best = null, width = SMALLEST
    for (const model of models()) {
      if (model.type !== "Figure" || !imageOf(model)) continue
      let inner = 0
      try { inner = model.inner_width } catch { continue }  // not laid out yet
      if (inner > width) { best = model; width = inner }
    }
    return best
  }

  function attach() {
    const figure = widest(), plot = figure && plotOf(figure)
    if (!plot) return requestAnimationFrame(attach)
    Object.assign(bench, {figure, plot})
    plot.repainted.connect(painted)
    if (plot._render_count > 0) painted()
  }
  requestAnimationFrame(attach)

  function painted() {
    const picture = imageOf(bench.figure).data_source.data.image?.[0]
    if (!(picture?.shape?.[1] > 1)) return  // the placeholder before the first map
    if (!numbers.has(picture)) numbers.set(picture, ++bench.pictures)
    const step = window.carbonweather?.current?.shown?.step
    const hit = {picture: numbers.get(picture), view: fits() ? bench.view() : null, step, at: 0}
    bench.hits.push(hit)
    requestAnimationFrame(() => { hit.at = performance.now() })
  }

  function fits() {
    const {figure} = bench, {x, y, dw, dh} = imageOf(figure).data_source.data
    const same = (range, from, size, pixels) => {
      const seen = range.end - range.start, cover = size / seen
      return Math.abs(from + size / 2 - (range.start + range.end) / 2) / seen * pixels <= CENTRE_PX && COVER[0] <= cover && cover <= COVER[1]
    }
    return same(figure.x_range, x[0], dw[0], figure.inner_width) && same(figure.y_range, y[0], dh[0], figure.inner_height)
  }

  bench.view = () => {
    const {x_range, y_range} = bench.figure
    return [x_range.start, x_range.end, y_range.start, y_range.end].map(edge => edge.toPrecision(10)).join()
  }

  bench.place = (lon, lat, span) => {
    // Look elsewhere, by the figure's own ranges, so that both programs are driven alike; GeoViews' maps are in Web Mercator metres.
    const {figure} = bench, metres = figure.below.some(axis => axis.ticker?.type === "MercatorTicker"), degree = metres ? Math.PI * 6378137 / 180 : 1
    const x = lon * degree, y = metres ? 6378137 * Math.asinh(Math.tan(lat * Math.PI / 180)) : lat
    const across = span * degree / 2, up = across * figure.inner_height / figure.inner_width
    figure.x_range.setv({start: x - across, end: x + across})
    figure.y_range.setv({start: y - up, end: y + up})
    bench.plot.trigger_ranges_update_event()  // as tools do; HoloViews listens to nothing else
  }

  bench.box = () => {
    // The map's frame on the page: left, top, width, height in CSS pixels.
    const frame = bench.plot.frame.bbox, outer = bench.plot.el.getBoundingClientRect()
    return [outer.left + frame.left, outer.top + frame.top, frame.width, frame.height]
  }

  bench.watch = column => {
    // Note when each change of the source that has this column (not its emptying) was repainted in its figure.
    const source = [...models()].find(model => model.type === "ColumnDataSource" && "time" in model.data && column in model.data)
    const figure = [...models()].find(model => model.type === "Figure" && model.renderers.some(renderer => renderer.data_source === source))
    const marks = bench.marks[column] = []
    let changes = 0
    source.properties.data.change.connect(() => { changes += source.data[column].length > 0 })
    plotOf(figure).repainted.connect(() => {
      const drawn = changes
      changes = 0
      requestAnimationFrame(() => { for (let i = 0; i < drawn; i++) marks.push(performance.now()) })
    })
  }

  new MutationObserver(() => {
    // The first picture says so when it is drawn, before the figure is there; it is on the screen a frame later.
    if (document.documentElement.dataset.still && !bench.still) requestAnimationFrame(() => { bench.still ??= performance.now() })
  }).observe(document, {attributes: true, subtree: true, attributeFilter: ["data-still"]})

  async function until(probe, seconds, what) {
    const end = performance.now() + 1000 * seconds
    for (;;) {
      const answer = probe()
      if (answer) return answer
      if (performance.now() > end) throw new Error(`${what} did not happen within ${seconds} s`)
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  }

  bench.arm = () => {
    bench.hits = []
    for (const marks of Object.values(bench.marks)) marks.length = 0
    bench.armed = {view: bench.view(), picture: bench.pictures}
    return performance.now()
  }
  const shown = probe => bench.hits.find(hit => hit.at && hit.picture > bench.armed.picture && probe(hit))?.at

  // Each returns the moment (ms of performance.now()) at which what it waits for was on the screen.
  bench.firstMap = seconds => until(() => bench.hits.find(hit => hit.at)?.at, seconds, "the first map")
  bench.opened = live => Math.min(bench.still ?? live, live)
  bench.newView = seconds => until(() => {
    const view = bench.view()
    return view !== bench.armed.view && shown(hit => hit.view === view)
  }, seconds, "the picture of the new view")
  bench.newStep = (step, seconds) => until(() => shown(hit => hit.step === step && hit.view), seconds, `the map of step ${step}`)
  bench.redrawn = (column, count, seconds) =>
    until(() => bench.marks[column].length >= count && bench.marks[column][count - 1], seconds, `drawing '${column}' (${count})`)
})()
