"""A small API behind Gatehouse: `ISSUER=… RESOURCE=… uvicorn server:app --port 8080`"""

import os

from fastapi import Body, Depends, FastAPI, Request
from gatehouse import Gatehouse

auth = Gatehouse(
    issuer=os.environ.get("ISSUER", "http://localhost:3000"),
    resource=os.environ.get("RESOURCE", "http://localhost:8080/v1"),
    mode=os.environ.get("MODE", "auto"),
    client_id=os.environ.get("CLIENT_ID", ""),
    client_secret=os.environ.get("CLIENT_SECRET", ""),
    scopes=["read", "write"],
)
notes: list = []

app = FastAPI()
auth.install(app)


@app.get("/health")
async def health():
    return {"ok": True}


# Any valid credential. The names show what reaches a handler.
@app.get("/v1/whoami")
async def whoami(request: Request, who: dict = Depends(auth.require())):
    return {"auth": who, "headers": list(request.headers.keys())}


@app.get("/v1/notes", dependencies=[Depends(auth.require("read"))])
async def list_notes():
    return {"notes": notes}


@app.post("/v1/notes", status_code=201)
async def add_note(text: str = Body(embed=True), who: dict = Depends(auth.require("write"))):
    notes.append({"by": who["subject"], "text": text})
    return notes[-1]
