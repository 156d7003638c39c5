// The form of a new run: made once for each kind from its fields; what is wrong and what it costs come back from Python while one types.

const EDIT_MS = 250       // quiet time after the last key before Python is asked
const MANY = 12           // choices; more than this are searched for, not ticked

class RunForm {
  constructor(say) {
    this.say = say
    this.node = make("section", {class: "form", "aria-label": "New run"})
    this.seq = 0
    this.edit = debounce(() => this.send("edit"), EDIT_MS)
  }

  show(spec) {
    if (spec.key === this.key) return
    this.key = spec.key
    this.spec = spec
    this.touched = new Set()
    this.everything = Boolean(spec.check)
    this.busy = false
    this.controls = new Map()
    this.edit.cancel()
    const kinds = make("div", {class: "kinds", role: "radiogroup", "aria-label": "Kind of run"}, spec.kinds.map(kind => make("label", {class: "kind"},
      make("input", {type: "radio", name: "kind", value: kind.name, checked: kind.name === spec.kind, onchange: () => this.say({kind: "new", job: kind.name})}),
      make("span", {}, make("strong", {}, kind.title), make("small", {}, kind.summary)))))
    const parts = [make("h2", {tabindex: -1, "data-focus": true}, "New run"), spec.copied ? make("p", {class: "note"}, spec.copied) : null, kinds]
    if (!spec.kinds.length) parts.push(make("p", {class: "note"}, "This installation has no kinds of runs."))
    if (spec.kind) {
      this.title = make("input", {type: "text", id: "run-title", maxlength: 200, value: spec.title, placeholder: spec.untitled, oninput: () => this.edit()})
      this.again = make("input", {type: "checkbox", id: "run-again"})
      this.cost = make("div", {class: "cost", role: "status", "aria-label": "Expected cost"})
      this.trouble = make("p", {class: "wrong", role: "alert", hidden: true})
      this.startButton = button("Start", {glyph: "running", kind: "main", onclick: () => this.start()})
      this.form = make("form", {novalidate: true, onsubmit: event => { event.preventDefault(); this.start() }},
        this.frame({name: "", title: "Title", description: "What people will know this run by.", hint: "may be left empty", unit: ""}, this.title, "run-title"),
        spec.fields.map(field => this.field(field)),
        make("div", {class: "foot"}, this.cost,
          make("label", {class: "again", for: "run-again"}, this.again, "Compute again even if an identical run is there"), this.trouble,
          make("div", {class: "actions"}, this.startButton,
            make("a", {class: "button", download: "", href: "#", onclick: event => this.download(event)}, icon("download"), make("span", {}, "Configuration")),
            button("Close", {onclick: () => this.say({kind: "list"})}))))
      parts.push(this.form)
    } else parts.push(make("p", {class: "note"}, spec.kinds.length ? "Choose what is to be computed." : ""), button("Close", {onclick: () => this.say({kind: "list"})}))
    this.node.replaceChildren(...parts.filter(Boolean))
    if (spec.kind) this.send("edit")
  }

  frame(field, control, id) {
    const wrong = make("p", {class: "wrong", id: `${id}-wrong`, role: "alert", hidden: true})
    const group = field.kind === "choices" || field.kind === "box"
    const words = [field.title, field.unit ? make("span", {class: "unit"}, field.unit) : null, field.required ? make("span", {class: "unit"}, "needed") : null]
    const about = make("p", {class: "about", id: `${id}-about`}, field.description, field.hint ? make("span", {class: "hint"}, `${field.description ? " " : ""}(${field.hint})`) : null)
    const box = group ? make("fieldset", {class: `field ${field.kind}`}, make("legend", {}, words), control, wrong, about)
      : make("div", {class: `field ${field.kind ?? "text"}`}, make("label", {for: id}, words), control, wrong, about)
    const target = group ? box : control
    target.setAttribute("aria-describedby", `${id}-wrong ${id}-about`)
    if (field.name) this.controls.set(field.name, {...(this.controls.get(field.name) ?? {}), wrong, box})
    return box
  }

  field(field) {
    const id = `set-${field.name}`, value = this.spec.values[field.name], touch = () => { this.touched.add(field.name); this.edit() }
    let control, read
    if (field.kind === "boolean") {
      control = make("input", {type: "checkbox", id, checked: value, onchange: touch, role: "switch"})
      read = () => control.checked
    } else if (field.kind === "choice") {
      const options = field.choices.map(([key, label]) => make("option", {value: key}, label))
      if (!field.choices.some(([key]) => key === "")) options.unshift(make("option", {value: ""}, field.required ? "Choose …" : "—"))
      if (value && !field.choices.some(([key]) => key === value)) options.push(make("option", {value}, `${value} (not here)`))
      control = make("select", {id, onchange: touch}, options)
      control.value = value
      read = () => control.value
    } else if (field.kind === "choices") {
      [control, read] = field.choices.length > MANY ? this.search(field, id, value, touch) : this.ticks(field, value, touch)
    } else if (field.kind === "box") {
      const edges = ["West", "South", "East", "North"].map((edge, i) =>
        make("label", {}, edge, make("input", {type: "text", inputmode: "decimal", value: value[i], "aria-label": `${edge} edge`, oninput: touch})))
      control = make("div", {class: "edges"}, edges)
      read = () => edges.map(edge => edge.lastChild.value)
    } else if (field.kind === "yaml" || field.kind === "points") {
      control = make("textarea", {id, rows: field.kind === "yaml" ? 3 : 2, spellcheck: false, value, oninput: touch, placeholder: field.kind === "points" ? "longitude, latitude; longitude, latitude; …" : false})
      read = () => control.value
    } else {
      const numeric = field.kind === "number" || field.kind === "integer"
      control = make("input", {type: field.kind === "date" ? "date" : "text", id, value, inputmode: numeric ? (field.kind === "integer" ? "numeric" : "decimal") : false,
        list: field.suggestions ? `${id}-list` : false, autocomplete: "off", spellcheck: false, oninput: touch, onblur: () => { this.touched.add(field.name); this.mark() }})
      if (field.kind === "date") { control.min = "1950-01-01"; control.max = "2100-12-31" }
      read = () => field.kind === "date" && control.validity.badInput ? "an unfinished date" : control.value
      if (field.suggestions) control = make("div", {}, control, make("datalist", {id: `${id}-list`}, field.choices.map(([key, label]) => make("option", {value: key}, label))))
    }
    this.controls.set(field.name, {read})
    return this.frame(field, control, id)
  }

  ticks(field, value, touch) {
    const unknown = value.filter(key => !field.choices.some(([known]) => known === key)).map(key => [key, `${key} (not here)`])
    const boxes = [...field.choices, ...unknown].map(([key, label]) => make("label", {class: "tick"}, make("input", {type: "checkbox", value: key, checked: value.includes(key), onchange: touch}), label))
    return [make("div", {class: "ticks"}, boxes), () => boxes.map(box => box.firstChild).filter(box => box.checked).map(box => box.value)]
  }

  search(field, id, value, touch) {
    const chosen = [...value], labels = new Map(field.choices), tags = make("div", {class: "tags"})
    const input = make("input", {type: "text", list: `${id}-list`, placeholder: "Type to find, Enter to add", "aria-label": `Add to ${field.title}`, autocomplete: "off"})
    const draw = () => tags.replaceChildren(...chosen.map(key => make("button", {type: "button", class: "tag", "aria-label": `Remove ${labels.get(key) ?? key}`,
      onclick: () => { chosen.splice(chosen.indexOf(key), 1); draw(); touch(); input.focus() }}, labels.get(key) ?? key, icon("close"))))
    const add = () => {
      const text = input.value.trim(), hit = field.choices.find(([key, label]) => key === text || label.toLowerCase() === text.toLowerCase())
      if (!hit) return
      if (!chosen.includes(hit[0])) chosen.push(hit[0])
      input.value = ""; draw(); touch()
    }
    input.onkeydown = event => { if (event.key === "Enter") { event.preventDefault(); add() } }
    input.onchange = add
    draw()
    return [make("div", {}, tags, input, make("datalist", {id: `${id}-list`}, field.choices.map(([key, label]) => make("option", {value: key}, label)))), () => [...chosen]]
  }

  values() {
    return Object.fromEntries([...this.controls].map(([name, control]) => [name, control.read()]))
  }

  send(kind, more = {}) {
    this.edit.cancel()
    this.say({kind, seq: ++this.seq, key: this.key, job: this.spec.kind, title: this.title.value, values: this.values(), ...more})
  }

  start() {
    if (this.busy) return
    this.everything = true
    this.busy = true
    this.startButton.setAttribute("aria-disabled", "true")
    this.send("start", {again: this.again.checked})
  }

  download(event) {
    event.preventDefault()
    const text = this.feedback?.configuration ?? ""
    if (!text) { this.everything = true; this.mark(); return }
    const link = make("a", {href: URL.createObjectURL(new Blob([text], {type: "application/yaml"})), download: `${this.spec.kind}.yaml`})
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), 1000)
  }

  answer(feedback) {
    if (!this.spec?.kind || feedback.key !== this.key || feedback.seq < (this.feedback?.key === this.key ? this.feedback.seq : 0)) return
    this.feedback = feedback
    if (feedback.started) {
      this.busy = false
      this.startButton.removeAttribute("aria-disabled")
    }
    this.mark()
    if (feedback.started && Object.keys(feedback.errors).length) {
      const first = this.spec.fields.find(field => feedback.errors[field.name])
      first && this.controls.get(first.name).box.querySelector("input, select, textarea")?.focus()
    }
    const cost = feedback.cost
    this.cost.classList.toggle("stale", feedback.seq < this.seq)
    if (cost) this.cost.replaceChildren(...cost.parts.map(([label, text]) => make("div", {}, make("small", {}, label), make("strong", {}, text))),
      cost.sentence ? make("p", {}, cost.sentence) : "", cost.warning ? make("p", {class: "wrong"}, cost.warning) : "")
    else if (Object.keys(feedback.errors).length) this.cost.replaceChildren(make("p", {}, "The cost is known when all fields are right."))
  }

  mark() {
    const errors = this.feedback?.errors ?? {}
    for (const [name, control] of this.controls) {
      const sentence = this.everything || this.touched.has(name) ? errors[name] ?? "" : ""
      if (control.wrong.textContent !== sentence) control.wrong.textContent = sentence
      control.wrong.hidden = !sentence
      control.box.classList.toggle("bad", Boolean(sentence))
      control.box.querySelectorAll("input, select, textarea").forEach(input => sentence ? input.setAttribute("aria-invalid", "true") : input.removeAttribute("aria-invalid"))
    }
    const general = errors[""] ?? ""
    this.trouble.textContent = general
    this.trouble.hidden = !general || !this.everything && !this.touched.size
  }
}
