"""Models on their way to the hub and back: a hub on loopback, which Python's own client takes for one as well."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuroglot

COMMIT = "fedcba9876543210fedcba9876543210fedcba98"


class Hub(ThreadingHTTPServer):
    """What was committed, by repository and path, and the store of large files by digest."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.store: dict[str, bytes] = {}
        self.address = f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: Any) -> None:
        pass

    def answer(self, value: Any = None, status: int = 200, content: bytes | None = None) -> None:
        body = json.dumps(value).encode() if content is None else content
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if content is not None:
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"] or 0))

    def do_PUT(self) -> None:
        self.server.store[self.path.rsplit("/", 1)[-1]] = self.body()
        self.answer()

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        words = self.path.split("?")[0].strip("/").split("/")
        if words[:2] == ["api", "models"]:
            name = "/".join(words[2:4])
            files = self.server.repositories.get(name)
            if files is None:
                return self.answer({"error": "Repository not found"}, 404)
            digests = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
            siblings = [
                {"rfilename": path, "size": len(content), "lfs": {"sha256": digests[path], "size": len(content), "pointerSize": 1}}
                for path, content in files.items()
            ]
            return self.answer({"id": name, "sha": COMMIT, "siblings": siblings})
        content = self.server.repositories.get("/".join(words[:2]), {}).get("/".join(words[4:]))
        return self.answer(status=404) if content is None else self.answer(content=content)

    def do_POST(self) -> None:
        text = self.body()
        if self.headers["Authorization"] != "Bearer hf_secret":
            return self.answer({"error": "Invalid token"}, 401)
        words = self.path.split("?")[0].strip("/").split("/")
        if self.path == "/api/repos/create":
            asked = json.loads(text)
            name = f"{asked['organization']}/{asked['name']}"
            self.server.repositories.setdefault(name, {})
            return self.answer({"url": f"{self.server.address}/{name}"})
        if "preupload" in words:
            files = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                    "shouldIgnore": False,
                }
                for file in json.loads(text)["files"]
            ]
            return self.answer({"files": files})
        if self.path.endswith("/info/lfs/objects/batch"):
            objects = [
                {**file, "actions": {"upload": {"href": f"{self.server.address}/store/{file['oid']}"}}}
                for file in json.loads(text)["objects"]
            ]
            return self.answer({"transfer": "basic", "objects": objects})
        if "commit" in words:
            name = "/".join(words[2:4])
            files = self.server.repositories[name]
            for line in map(json.loads, text.decode().splitlines()):
                value = line["value"]
                if line["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    content = self.server.store[value["oid"]]
                    assert hashlib.sha256(content).hexdigest() == value["oid"]
                    files[value["path"]] = content
            url = f"{self.server.address}/{name}/commit/{COMMIT}"
            return self.answer({"commitUrl": url, "commitOid": COMMIT, "hookOutput": "", "success": True})
        return self.answer(status=404)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    server = Hub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", server.address)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    for proxy in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(proxy, raising=False)
    yield server
    server.shutdown()
    server.server_close()


def test_a_model_comes_back_as_it_went(
    hub: Hub, model: neuroglot.MtM, session: neuroglot.Session, tmp_path: Path
) -> None:
    with pytest.warns(neuroglot.errors.NeuroglotWarning, match="no scores"):
        assert model.push_to_hub("lab/striatum", private=True) == f"hub:lab/striatum@{COMMIT}"
    card = hub.repositories["lab/striatum"]["README.md"].decode()
    assert session.eid in card and 'from_pretrained("lab/striatum")' in card
    there = neuroglot.MtM.from_pretrained("lab/striatum")
    assert np.array_equal(np.asarray(there.predict(session)), np.asarray(model.predict(session)))
    # A folder is taken as it is, and a revision is asked for by its name.
    model.save(tmp_path / "run")
    assert neuroglot.MtM.from_pretrained(tmp_path / "run").sessions.equals(model.sessions)
    assert neuroglot.MtM.from_pretrained("lab/striatum", revision=COMMIT).run_folder == there.run_folder
    with pytest.raises(neuroglot.errors.NotFoundError, match="lab/none"):
        neuroglot.MtM.from_pretrained("lab/none")
    with pytest.raises(neuroglot.errors.SettingError, match="owner/name"):
        neuroglot.MtM.from_pretrained("striatum")


def test_scores_come_into_the_card(hub: Hub, session: neuroglot.Session, tmp_path: Path) -> None:
    small = {"train__epochs": 1, "model__hidden": 16, "model__layers": 1, "model__heads": 2}
    model = neuroglot.MtM(progress="none", out=tmp_path / "run", **small).fit(session)
    evaluation = model.evaluate(tasks=["forward"])
    evaluation.write(tmp_path / "run" / "evaluation")
    model.push_to_hub("lab/scored")
    bps = f"{evaluation.score('forward'):.3f}".replace("-", "−")
    assert f"| {session.eid} | 12 | {bps} [" in hub.repositories["lab/scored"]["README.md"].decode()


def test_the_hub_of_these_tests_and_the_cache_are_those_of_huggingface_hub(
    hub: Hub, model: neuroglot.MtM, tmp_path: Path
) -> None:
    pytest.importorskip("huggingface_hub")
    model.save(tmp_path / "run")
    # In a process of its own: huggingface_hub reads its environment when it is imported.
    script = f"""
import huggingface_hub
api = huggingface_hub.HfApi()
api.create_repo("lab/theirs", exist_ok=True)
api.upload_folder(repo_id="lab/theirs", folder_path={str(tmp_path / "run" / "best")!r})
print(huggingface_hub.snapshot_download("lab/ours", local_files_only=True))
"""
    with pytest.warns(neuroglot.errors.NeuroglotWarning):
        model.push_to_hub("lab/ours")
    cached = neuroglot.MtM.from_pretrained("lab/ours").run_folder
    environment = {**os.environ, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip().splitlines()[-1]).samefile(cached)
    theirs, ours = hub.repositories["lab/theirs"], hub.repositories["lab/ours"]
    weights = {path for path in ours if path.endswith(".safetensors")}
    assert weights and all(theirs[path] == ours[path] for path in weights)
