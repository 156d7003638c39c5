"""Buttons that download what is shown: the file is made from the address of the page, so that the link can be shared."""

from __future__ import annotations

import panel_material_ui as pmui

_CODE = """
const link = document.createElement("a")
link.href = new URL("data/download/KIND" + (window.location.search || "?") + (MORE), document.baseURI)
link.download = ""
document.body.appendChild(link)
link.click()
link.remove()
"""


def download_button(label: str, kind: str, *, more: str = '""') -> pmui.Button:
    """A button for the sidebar.

    Parameters
    ----------
    label : what is downloaded, for people.
    kind : which file of `dashboard.downloads`, `emissions_download` or `atmosphere_download` ("map.png").
    more : a JavaScript expression, added to the address.
    """
    button = pmui.Button(
        label=label,
        icon="download",
        variant="text",
        size="small",
        margin=(0, 8),
        sizing_mode="stretch_width",
        sx={"justifyContent": "flex-start"},
    )
    button.js_on_click(code=_CODE.replace("KIND", kind).replace("MORE", more))
    return button
