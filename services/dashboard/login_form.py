"""The form for signing in: a page without scripts."""

from html import escape

#: Longest form that is read [bytes].
MAX_FORM_BYTES = 4096

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in: gnomon</title>
<link rel="icon" href="{base}/assets/gnomon.svg">
<link rel="stylesheet" href="{base}/assets/dashboard.css">
</head>
<body class="sign-in">
<main>
<h1><img src="{base}/assets/gnomon.svg" alt="" width="32" height="32"> gnomon</h1>
<form method="post" action="{base}/login">
<input type="text" name="user" value="gnomon" autocomplete="username" hidden>
<label for="token">Token of the services</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus
 aria-describedby="help"{invalid}>
<p class="problem" role="alert">{problem}</p>
<button type="submit">Sign in</button>
<p id="help">Where <code>gnomon services</code> was started, it says in which file the token is. The read-only
token shows everything and changes nothing.</p>
</form>
</main>
</body>
</html>
"""


def form(base: str, problem: str = "") -> str:
    """Make the page; `base` is the path of the dashboard, `problem` says why the last token was not taken."""
    invalid = ' aria-invalid="true"' if problem else ""
    return _PAGE.format(base=escape(base), problem=escape(problem), invalid=invalid)
