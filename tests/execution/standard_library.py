"""Modules of the standard library that carry anchors while their own test suites run."""

from __future__ import annotations

# Test modules, by the modules that carry anchors.
SUITES = {
    "textwrap": "test.test_textwrap",
    "statistics": "test.test_statistics",
    "heapq": "test.test_heapq",
    "bisect": "test.test_bisect",
    "difflib": "test.test_difflib",
    "fractions": "test.test_fractions",
    "string": "test.test_string",
    "shlex": "test.test_shlex",
    "json json.decoder json.encoder json.scanner": "test.test_json",
    "configparser": "test.test_configparser",
    "html html.parser": "test.test_html test.test_htmlparser",
    "colorsys": "test.test_colorsys",
    "calendar": "test.test_calendar",
    "graphlib": "test.test_graphlib",
    "ipaddress": "test.test_ipaddress",
    "urllib.parse": "test.test_urlparse",
}
# Beside those that the suite of this project runs; `benchmarks/anchored_library.py` runs all of them.
MORE_SUITES = {
    "argparse": "test.test_argparse",
    "ast": "test.test_ast",
    "base64": "test.test_base64",
    "cmd": "test.test_cmd",
    "collections _collections_abc": "test.test_collections test.test_defaultdict test.test_ordered_dict",
    "contextlib": "test.test_contextlib test.test_contextlib_async",
    "copy": "test.test_copy",
    "csv": "test.test_csv",
    "dataclasses": "test.test_dataclasses",
    "dis": "test.test_dis",
    "enum": "test.test_enum",
    "fileinput": "test.test_fileinput",
    "fnmatch": "test.test_fnmatch",
    "functools": "test.test_functools",
    "getopt": "test.test_getopt",
    "gettext": "test.test_gettext",
    "glob": "test.test_glob",
    "gzip": "test.test_gzip",
    "hashlib": "test.test_hashlib",
    "hmac": "test.test_hmac",
    "inspect": "test.test_inspect",
    "keyword": "test.test_keyword",
    "linecache": "test.test_linecache",
    "locale": "test.test_locale",
    "mimetypes": "test.test_mimetypes",
    "numbers": "test.test_abstract_numbers",
    "operator": "test.test_operator",
    "optparse": "test.test_optparse",
    "posixpath ntpath genericpath": "test.test_posixpath test.test_ntpath test.test_genericpath",
    "pathlib": "test.test_pathlib",
    "pprint": "test.test_pprint",
    "queue": "test.test_queue",
    "quopri": "test.test_quopri",
    "random": "test.test_random",
    "re re._compiler re._constants re._parser re._casefix": "test.test_re",
    "reprlib": "test.test_reprlib",
    "sched": "test.test_sched",
    "selectors": "test.test_selectors",
    "shelve": "test.test_shelve",
    "stat": "test.test_stat",
    "_pydecimal": "test.test_decimal",
    "typing": "test.test_typing",
    "types": "test.test_types",
    "tokenize": "test.test_tokenize",
    "traceback": "test.test_traceback",
    "uuid": "test.test_uuid",
    "weakref _weakrefset": "test.test_weakref test.test_weakset",
    "xml.etree.ElementTree xml.etree.ElementPath": "test.test_xml_etree",
    "xml.dom.minidom xml.dom.pulldom xml.dom.expatbuilder xml.dom.xmlbuilder": "test.test_minidom test.test_pulldom",
    "xml.sax xml.sax.handler xml.sax.saxutils xml.sax.expatreader xml.sax.xmlreader": "test.test_sax",
    "tempfile": "test.test_tempfile",
    "zipfile": "test.test_zipfile",
    "tarfile": "test.test_tarfile",
    "pickle": "test.test_pickle",
    "pickletools": "test.test_pickletools",
    "plistlib": "test.test_plistlib",
    (
        "email.message email.header email.headerregistry email._header_value_parser email.parser "
        "email.feedparser email.generator email.utils email.charset email.contentmanager "
        "email.policy email._policybase email._parseaddr email.quoprimime email.base64mime"
    ): "test.test_email",
    "mailbox": "test.test_mailbox",
    "imaplib": "test.test_imaplib",
    "doctest": "test.test_doctest",
    (
        "unittest.case unittest.suite unittest.loader unittest.result unittest.runner unittest.util unittest.mock"
    ): "test.test_unittest",
    "logging logging.handlers logging.config": "test.test_logging",
    "zoneinfo zoneinfo._zoneinfo zoneinfo._common zoneinfo._tzpath": "test.test_zoneinfo",
    "nntplib": "test.test_nntplib",
    "smtplib": "test.test_smtplib",
    "http.client http.cookies http.cookiejar": "test.test_httplib test.test_http_cookies test.test_http_cookiejar",
    "netrc": "test.test_netrc",
    "shutil": "test.test_shutil",
    "filecmp": "test.test_filecmp",
    "cgi": "test.test_cgi",
    "code codeop": "test.test_code_module test.test_codeop",
    "compileall py_compile": "test.test_compileall test.test_py_compile",
    "pdb bdb": "test.test_pdb test.test_bdb",
    "profile pstats cProfile": "test.test_profile test.test_pstats test.test_cprofile",
    "symtable": "test.test_symtable",
    "timeit": "test.test_timeit",
    "trace": "test.test_trace",
    "tomllib tomllib._parser tomllib._re": "test.test_tomllib",
    "wave aifc sunau chunk": "test.test_wave test.test_aifc test.test_sunau",
    "uu": "test.test_uu",
    "xdrlib": "test.test_xdrlib",
    "abc _py_abc": "test.test_abc",
    "io _pyio": "test.test_memoryio",
}
# Tests that look at the code of the module itself: its names, constants and bytecode are what anchors change.
LOOK_AT_CODE = {
    "dis": ("test_info", "test_code_info", "test_show_code"),
}
# Known differences, found by these suites and left: a module without texts of its own shows values of other modules'
# classes, whose text fails on a half-built object (pickle: a UserDict without data, 16 tests) or runs anchored code
# again (the email modules together: a Message that is shown while it is made into text, 27 tests).
# Of the harness: its sink is a Python function, which a tracer counts (trace 12 tests, bdb 32) and which needs one more
# frame at the exact recursion limit (tomllib 2).
KNOWN_DIFFERENCES = ("pickle", "email.message", "trace", "pdb", "tomllib")
