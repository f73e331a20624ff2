"""GET / and what it consists of: served from the package, under a policy that lets nothing else run."""

from __future__ import annotations

import re

from service.routes.page import FOLDER


def test_the_page_and_all_that_it_names_are_served(client):
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    named = re.findall(r'(?:src|href)="(page/[^"]+)"', page.text)
    assert len(named) >= 4
    for path in named:
        assert client.get(f"/{path}").status_code == 200, path


def test_every_module_imports_what_exists():
    for module in (FOLDER / "app").glob("*.js"):
        for imported in re.findall(r'from "\./([^"]+)"|import\("\./([^"]+)"\)', module.read_text()):
            assert (module.parent / (imported[0] or imported[1])).is_file(), (module.name, imported)


def test_nothing_but_the_own_code_may_run(client):
    for path in ("/", "/page/app/main.js", "/page/style.css"):
        policy = client.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy


def test_no_file_beside_the_page_is_served(client, assert_problem):
    for path in ("/page/../app.py", "/page/%2e%2e/app.py", "/page/vendor/nothing.js"):
        assert client.get(path).status_code in (404, 405), path
