#!/bin/sh
# Prints the path of a Python that tfdpzoo runs on, or one sentence that says why there is none.
# PYTHON, where it is set, names the only candidate.

if [ -n "$PYTHON" ]; then
    set -- "$PYTHON"
else
    set -- python3.11 python3.10 python3 python
fi

unsuitable=
without_venv=
for candidate in "$@"; do
    # A name that is found need not run: version managers put shims on the PATH.
    version=$("$candidate" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) ||
        continue
    case $version in
    3.10.* | 3.11.*)
        if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
            exec "$candidate" -c 'import sys; print(sys.executable)'
        fi
        without_venv=${without_venv:-$version}
        ;;
    *)
        unsuitable="${unsuitable:+$unsuitable, }$version ($candidate)"
        ;;
    esac
done

if [ -n "$without_venv" ]; then
    echo "Python $without_venv has no 'ensurepip', which makes virtual environments: install it," \
        "on Debian and Ubuntu with 'apt install python${without_venv%.*}-venv'"
else
    echo "tfdpzoo needs Python 3.10 or 3.11; found ${unsuitable:-none}: install one of the two, or" \
        "give its path as PYTHON=PATH"
fi
exit 1
