// The Data page as a whole: tabs, the address, messages, drag and drop, dialogs. State that people share lives in the address.
//
// Python -> here: catalogue, here (the data folder), coverage, where, tasks, verification, citation, notice, upload.
// here -> Python: messages {kind: "where" | "fetch" | "verify" | "remove" | "cite" | "stop" | "dismiss"}; see dashboard/data_page.py.

const TABS = [["here", "Here", "What is in the data folder"], ["coverage", "Coverage", "When and where there are soundings"], ["catalogue", "Catalogue", "What there is to fetch"],
              ["import", "Import", "Bring your own files"], ["verify", "Verify", "Is everything intact"]]
const KEPT = {here: ["q", "kind", "item"], catalogue: ["q", "group", "provider", "access", "present", "item"], coverage: ["instrument", "year"], import: [], verify: []}

export function render({model, el}) {
  const parse = text => { try { return JSON.parse(text) } catch { return {} } }
  const say = message => model.send_msg(message)
  let catalogue = {entries: [], groups: {}, access: {}, ...parse(model.catalogue)}
  const state = {tab: "here", here: {}, catalogue: {}, coverage: {}, import: {}, verify: {}}
  let here = parse(model.here), tasks = [], coverage = {}, verification = {}

  // ---- the address
  const read = () => {
    const asked = new URLSearchParams(window.location.search)
    state.tab = KEPT[asked.get("tab")] ? asked.get("tab") : "here"
    state[state.tab] = Object.fromEntries(KEPT[state.tab].filter(key => asked.get(key)).map(key => [key, asked.get(key).slice(0, 200)]))
  }
  const query = () => {
    const parts = new URLSearchParams()
    if (state.tab !== "here") parts.set("tab", state.tab)
    for (const key of KEPT[state.tab]) if (state[state.tab][key]) parts.set(key, state[state.tab][key])
    return parts.toString()
  }
  const write = replace => {
    const text = query()
    if (text !== window.location.search.slice(1)) window.history[replace ? "replaceState" : "pushState"]({}, "", window.location.pathname + (text ? "?" + text : ""))
  }
  const change = (facts, replace = false) => { Object.assign(state[state.tab], facts); write(replace); show("item" in facts) }
  const open = (tab, facts = {}) => { state.tab = tab; Object.assign(state[tab], facts); write(false); show(true) }

  // ---- what the parts may ask for
  const copy = async (text, at) => {
    const label = at?.querySelector("span")
    try { await navigator.clipboard.writeText(text) } catch {   // pages that are not served over https have no clipboard
      const area = make("textarea", {value: text, class: "unseen"}); at.after(area); area.select(); document.execCommand("copy"); area.remove()
    }
    if (label) { const old = label.textContent; label.textContent = "Copied"; setTimeout(() => { label.textContent = old }, 1500) }
  }
  const goMonth = month => {
    const address = coverage.months?.[month]
    if (address) window.location.href = address
    else tell(`No XCO2 map here covers ${month}, so the map page has nothing to draw its soundings on; a run of the kind "grid" makes one.`, [`./runs?new=grid&instrument=${encodeURIComponent(state.coverage.instrument ?? "")}`, "Make one"])
  }
  const goPlace = (lon, lat) => { const month = Object.keys(coverage.months ?? {}).filter(each => !state.coverage.year || each.startsWith(state.coverage.year)).at(-1); window.location.href = `${month ? coverage.months[month] : "./?layers=coastlines,borders,soundings"}&at=${lon},${lat},30` }
  const act = {
    copy, tab: tab => open(tab), close: () => change({item: ""}), openItem: key => open("here", {item: key}), openEntry: name => open("catalogue", {item: name}),
    coverage: instrument => open("coverage", {instrument, year: ""}), accessWords: access => catalogue.access[access], kindWords: kind => here.kinds?.[kind] ?? kind,
    fetch: facts => say({kind: "fetch", ...facts}), verify: key => { say({kind: "verify", key}); if (!key) open("verify") }, remove: item => askRemoval(item),
    stop: number => say({kind: "stop", number}), dismiss: number => say({kind: "dismiss", number}),
  }

  // ---- the parts
  const held = name => (here.items ?? []).filter(item => item.catalog === name)
  const entries = new ItemList({
    name: "entries", placeholder: "Search the catalogue", keyOf: entry => entry.name, change, cite: chosen => askCitation({entries: chosen.map(entry => entry.name)}),
    textOf: entry => [entry.name, entry.title, entry.group, catalogue.groups[entry.group], entry.provider, entry.doi, entry.version, entry.resolution, entry.note, entry.unit, entry.words, ...entry.variables].join(" "),
    filters: [{key: "group", label: "Kind", all: "All kinds", of: entry => entry.group, words: value => catalogue.groups[value] ?? value}, {key: "provider", label: "Provider", all: "All providers", of: entry => entry.provider, words: value => value.length > 46 ? value.slice(0, 45) + "…" : value},
      {key: "access", label: "Access", all: "Any access", of: entry => entry.access, words: value => catalogue.access[value] ?? value}, {key: "present", label: "Here", all: "Here or not", of: entry => entry.held ? "yes" : "no", words: value => value === "yes" ? "Here" : "Not here"}],
    columns: [{key: "name", label: "Data set", cell: entry => entry.title, small: entry => entry.provider}, {key: "what", label: "Kind", cell: entry => catalogue.groups[entry.group] ?? entry.group},
      {key: "covers", label: "Covers", cell: entry => entry.coverage}, {key: "access", label: "Access", cell: entry => mark("", ACCESS_GLYPHS[entry.access], catalogue.access[entry.access])}, {key: "here", label: "Here", cell: entry => entry.held ? mark("done", "here", "here") : ""}],
    empty: () => [make("p", {}, "The catalogue is empty.")],
  })
  const holdings = new ItemList({
    name: "holdings", placeholder: "Search what is here", keyOf: item => item.key, change, cite: chosen => askCitation({keys: chosen.map(item => item.key)}),
    textOf: item => [item.key, item.title, here.kinds?.[item.kind], item.provider, item.catalog, item.version, ...item.variables, ...item.sources].join(" "),
    filters: [{key: "kind", label: "Kind", all: "All kinds", of: item => item.kind, words: value => act.kindWords(value)}],
    columns: [{key: "name", label: "Name", cell: item => item.title, small: item => [item.name, item.simulated && " · simulated"]}, {key: "what", label: "Kind", cell: item => act.kindWords(item.kind)},
      {key: "holds", label: "Holds", cell: item => item.amount}, {key: "size", label: "Size", cell: item => item.size_words}, {key: "period", label: "Period", cell: item => period(item)}],
    empty: () => [make("h2", {}, "Nothing is here yet"), make("p", {}, said("Fetch a data set from the catalogue, drop files of your own, or build the demo with `carbonweather demo`.")),
      make("div", {class: "actions centred"}, button("Look at the catalogue", {kind: "main", onclick: () => open("catalogue")}), button("Import files", {glyph: "upload", onclick: () => open("import")}))],
  })
  const entry = new EntryDetail(act), holding = new HoldingDetail(act), adding = new Adding(model, act), verifying = new Verification(act), calendar = new Calendar(goMonth), where = new Whereabouts(goPlace)
  const instrument = make("select", {"aria-label": "Instrument", onchange: () => change({instrument: instrument.value, year: ""})}), year = make("select", {"aria-label": "Year", onchange: () => change({year: year.value})})
  const covered = make("section", {class: "coverage"}), coverageBody = make("div", {class: "cards"}, make("div", {class: "card"}, make("h3", {}, "When"), calendar.node), make("div", {class: "card"}, make("div", {class: "line"}, make("h3", {}, "Where"), make("span", {class: "spacer"}), year), where.node))
  const coverageTools = make("div", {class: "tools"}, instrument), coverageTiles = make("div", {class: "numbers"}), coverageEmpty = make("div", {class: "empty"})
  covered.append(coverageTools, coverageTiles, coverageBody, coverageEmpty)

  const tabs = make("div", {class: "tabs", role: "tablist"}, TABS.map(([name, label, purpose]) => make("button", {type: "button", role: "tab", id: `tab-${name}`, title: purpose, "aria-controls": "data-panel", onclick: () => open(name), onkeydown: event => {
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key]
    if (step) { const next = TABS[(TABS.findIndex(each => each[0] === name) + step + TABS.length) % TABS.length][0]; open(next); tabs.querySelector(`#tab-${next}`).focus() }
  }}, label)))
  const notice = make("div", {class: "notice", role: "status", hidden: true}), strip = make("div", {class: "strip"}), tiles = make("div", {class: "numbers tiles"}), problems = make("div")
  const left = make("div", {class: "left"}), side = make("div", {class: "side"}), columns = make("div", {class: "columns"}, left, side), ask = make("dialog", {"aria-labelledby": "ask-title"})
  const panel = make("div", {id: "data-panel", role: "tabpanel"}, tiles, problems, columns)
  const app = make("main", {class: "runs-page data-page"}, make("div", {class: "top"}, make("h1", {}, "Data"), tabs), notice, strip, panel, ask)
  el.append(app)

  const stripPart = new Section(strip, active => active.map(task => make("div", {class: "line"}, chip(task.state === "waiting" ? "queued" : "running", task.title), bar(task.state === "waiting" ? 0 : task.fraction, task.title), make("span", {class: "note"}, task.label), button("Stop", {kind: "plain small", glyph: "close", onclick: () => act.stop(task.number)}))))
  const tilesPart = new Section(tiles, totals => [["Size in all", totals.size], ["Data sets", String(totals.count)], ["Soundings", totals.soundings.toLocaleString("en")], ["Maps", totals.maps.toLocaleString("en")], ["Folder", here.home]].map(([name, value]) => make("div", {class: name === "Folder" ? "folder" : ""}, make("small", {}, name), make("strong", {}, value))))
  const problemsPart = new Section(problems, texts => texts.map(text => make("p", {class: "alert"}, said(text))))

  const tell = (text, more = null, bad = false) => {
    notice.hidden = !text
    notice.classList.toggle("bad", bad)
    if (text) notice.replaceChildren(make("span", {}, said(text), more && [" ", link(...more)]), make("button", {type: "button", class: "button plain", "aria-label": "Close the message", onclick: () => { notice.hidden = true }}, icon("close")))
  }

  // ---- showing
  let shownWhere = "", shownSide = ""
  function show(moved = false) {
    const {tab} = state, now = state[tab]
    for (const node of tabs.children) { const on = node.id === `tab-${tab}`; node.setAttribute("aria-selected", String(on)); node.tabIndex = on ? 0 : -1 }
    panel.setAttribute("aria-labelledby", `tab-${tab}`)
    stripPart.show(tasks.filter(task => ["waiting", "running"].includes(task.state) && !(tab === "import" && ["import", "fetch"].includes(task.kind)) && !(tab === "verify" && task.kind === "verify") && !(tab === "catalogue" && now.item === task.subject)))
    tiles.hidden = tab !== "here" || !here.items?.length
    if (here.totals) tilesPart.show(here.totals)
    problemsPart.show(tab === "here" ? here.problems ?? [] : [])
    let detail = null
    if (tab === "catalogue") {
      const with_held = catalogue.entries.map(each => Object.assign(each, {held: held(each.name).length > 0}))
      const marks = with_held.map(each => each.held).join()
      if (marks !== entries.marks) { entries.marks = marks; entries.rows = new Map() }
      entries.show(catalogue.entries, now, catalogue.entries.length > 0)
      const chosen = now.item && catalogue.entries.find(each => each.name === now.item)
      if (chosen) { entry.show(chosen, held(chosen.name), tasks); detail = entry.node }
      else if (now.item && catalogue.entries.length) missing(now.item)
    } else if (tab === "here") {
      holdings.show(here.items ?? [], now, here.loaded)
      const chosen = now.item && (here.items ?? []).find(item => item.key === now.item)
      if (chosen) {
        const busy = tasks.some(task => task.kind === "verify" && ["waiting", "running"].includes(task.state))
        holding.show(chosen, catalogue.entries.find(each => each.name === chosen.catalog), (verification.findings ?? []).filter(found => found.item === chosen.key), busy)
        detail = holding.node
      } else if (now.item && here.loaded) missing(now.item)
    } else if (tab === "coverage") showCoverage()
    else if (tab === "import") adding.show(tasks)
    else verifying.show(verification, tasks.find(task => task.kind === "verify") ?? null)
    const main = {catalogue: entries.node, here: holdings.node, coverage: covered, import: adding.node, verify: verifying.node}[tab]
    if (left.firstChild !== main) left.replaceChildren(main)
    if (detail ? side.firstChild !== detail : side.firstChild) side.replaceChildren(...(detail ? [detail] : []))
    app.classList.toggle("beside", Boolean(detail))
    if (tab === "coverage") { calendar.data && calendar.draw(); where.draw() }
    const mine = `${tab} ${now.item ?? ""}`
    if (mine !== shownSide) {
      if (moved && detail) { detail.querySelector("[data-focus]")?.focus({preventScroll: true}); if (app.clientWidth < 900) window.scrollTo({top: 0}); side.scrollTop = 0 }
      shownSide = mine
    }
  }
  function missing(name) { tell(`'${name}' is not here; it was removed, or the address is wrong.`); change({item: ""}, true) }

  function showCoverage() {
    const all = coverage.instruments ?? []
    coverageEmpty.hidden = all.length > 0
    coverageBody.hidden = coverageTools.hidden = coverageTiles.hidden = !all.length
    if (!coverageEmpty.hidden) coverageEmpty.replaceChildren(...(!coverage.loaded ? [make("p", {role: "status"}, "Looking …")] : [make("h2", {}, "No soundings are here yet"), make("p", {}, "Fetch OCO-2, OCO-3 or GOSAT soundings from the catalogue, or drop their files on this page."), button("Look at the catalogue", {kind: "main", onclick: () => open("catalogue", {group: "satellite"})})]))
    if (!all.length) return
    const chosen = all.find(each => each.name === state.coverage.instrument) ?? all.reduce((a, b) => b.total > a.total ? b : a)
    if (state.coverage.instrument !== chosen.name) { state.coverage.instrument = chosen.name; write(true) }
    const options = JSON.stringify(all.map(each => each.name))
    if (instrument.dataset.options !== options) { instrument.dataset.options = options; instrument.replaceChildren(...all.map(each => make("option", {value: each.name}, `${each.name}: ${plural(each.total, "sounding")}`))) }
    instrument.value = chosen.name
    if (calendar.data !== chosen) {
      calendar.show(chosen, coverage.months)
      coverageTiles.replaceChildren(...[["Soundings", chosen.total.toLocaleString("en")], ["Days with any", `${chosen.days.toLocaleString("en")} of ${chosen.counts.length.toLocaleString("en")}`], ["From", chosen.first], ["To", calendar.dayOf(chosen.counts.length - 1)], chosen.simulated && ["Kind", "Simulated"]].filter(Boolean).map(([name, value]) => make("div", {}, make("small", {}, name), make("strong", {}, value))),
        make("a", {class: "button", href: `./runs?new=aggregate&instrument=${encodeURIComponent(chosen.name)}`}, icon("chart"), make("span", {}, "Analyse")))
    }
    const years = ["", ...calendar.years.map(String).filter(each => each)]
    if (year.dataset.options !== years.join()) { year.dataset.options = years.join(); year.replaceChildren(...years.map(each => make("option", {value: each}, each || "All years"))) }
    if (state.coverage.year && !years.includes(state.coverage.year)) { state.coverage.year = ""; write(true) }
    year.value = state.coverage.year ?? ""
    const asked = JSON.stringify([chosen.name, year.value, chosen.total])
    if (asked !== shownWhere) { shownWhere = asked; where.wait(); say({kind: "where", instrument: chosen.name, year: year.value ? Number(year.value) : null}) }
  }

  // ---- dialogs
  function askRemoval(item) {
    ask.replaceChildren(make("h3", {id: "ask-title"}, `Remove ${item.title}?`), make("p", {}, item.consequence), make("div", {class: "actions"},
      button("Remove it", {kind: "danger filled", glyph: "remove", onclick: () => { ask.close(); say({kind: "remove", key: item.key}); change({item: ""}, true) }}), button("Keep it", {autofocus: true, onclick: () => ask.close()})))
    ask.showModal()
  }
  let citation = {}
  function askCitation(what) {
    say({kind: "cite", ...what})
    ask.replaceChildren(make("h3", {id: "ask-title"}, "How to cite"), make("p", {class: "note"}, "Asking …"))
    ask.classList.add("wide")
    ask.showModal()
  }
  const showCitation = () => {
    citation = parse(model.citation)
    if (!citation.text || !ask.open) return
    let form = "text"
    const area = make("textarea", {readonly: true, rows: 12, "aria-label": "How to cite", value: citation.text})
    const choice = (name, label) => make("button", {type: "button", class: "button small", "aria-pressed": String(form === name), onclick: event => { form = name; area.value = citation[name]; for (const each of event.target.parentNode.children) each.setAttribute("aria-pressed", String(each === event.target)) }}, label)
    ask.replaceChildren(make("h3", {id: "ask-title"}, `How to cite ${plural(citation.count, "data set")}`), make("div", {class: "actions"}, choice("text", "Paragraphs"), choice("bibtex", "BibTeX")), area,
      make("div", {class: "actions"}, button("Copy", {glyph: "copy", kind: "main", onclick: event => copy(area.value, event.currentTarget)}), button("Close", {onclick: () => ask.close()})))
  }
  ask.addEventListener("close", () => ask.classList.remove("wide"))

  // ---- events
  const over = event => { if (event.dataTransfer?.types.includes("Files")) { event.preventDefault(); app.classList.add("drop") } }
  const leave = event => { if (!event.relatedTarget) app.classList.remove("drop") }
  const drop = event => { if (!event.dataTransfer?.types.includes("Files")) return; event.preventDefault(); app.classList.remove("drop"); open("import"); adding.dropped(event.dataTransfer) }
  const pop = () => { read(); show(true) }
  const keys = event => {
    const target = event.composedPath()[0]
    if (event.ctrlKey || event.metaKey || event.altKey || ask.open) return
    const writing = target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)
    if (event.key === "Escape" && state[state.tab].item && !(writing && target.type !== "search")) change({item: ""})
    else if (event.key === "/" && !writing && ["here", "catalogue"].includes(state.tab)) { event.preventDefault(); (state.tab === "here" ? holdings : entries).find.focus() }
  }
  const hear = {
    catalogue: () => { catalogue = {...catalogue, ...parse(model.catalogue)}; show() },
    here: () => { here = parse(model.here); show() },
    tasks: () => { tasks = parse(model.tasks).items ?? []; show() },
    coverage: () => { coverage = parse(model.coverage); if (state.tab === "coverage") show() },
    where: () => { const facts = parse(model.where); if (facts.counts && facts.instrument === state.coverage.instrument && String(facts.year ?? "") === (state.coverage.year ?? "")) where.show(facts) },
    verification: () => { verification = parse(model.verification); show() },
    citation: showCitation,
    notice: () => { const said = parse(model.notice); tell(said.text, null, said.severity === "error") },
  }
  for (const [name, heard] of Object.entries(hear)) model.on(name, heard)
  const theme = new MutationObserver(() => requestAnimationFrame(() => { if (state.tab === "coverage") { calendar.data && calendar.draw(); where.draw() } }))
  theme.observe(document.documentElement, {attributes: true})
  const listeners = [["popstate", pop], ["keydown", keys], ["dragover", over], ["dragleave", leave], ["drop", drop]]
  for (const [name, listener] of listeners) window.addEventListener(name, listener)
  model.on("remove", () => { theme.disconnect(); for (const [name, listener] of listeners) window.removeEventListener(name, listener) })
  read()
  hear.tasks(); hear.verification(); hear.coverage(); hear.here()
}
