"""Kafka's own kafka.tools.DumpLogSegments over every file that a log dir may hold."""
import os
import re

from processes import kafka_tool

# All that it prints when it dislikes something; it prints most of this with exit status 0.
COMPLAINTS = re.compile(r'mismatch|non-consecutive|out of order|isvalid: false|corrupt|invalid|exception|error|failed|unsuitable|'
                        r'bytes remaining|not found|does not|cannot|unable', re.IGNORECASE)
PASSES = {'.log': ['--deep-iteration'], '.index': ['--index-sanity-check'], '.timeindex': ['--index-sanity-check'], '.snapshot': [], '.txnindex': []}
MORE = {'.index': ['--verify-index-only'], '.timeindex': ['--verify-index-only']}


def files_of(log_dirs, suffix):
    """Those of partitions that are served: what waits for its removal belongs to nobody."""
    found = []
    for log_dir in log_dirs:
        for folder, _, names in os.walk(log_dir):
            if re.search(r'-\d+$', folder):
                found += [os.path.join(folder, n) for n in names if n.endswith(suffix)]
    return sorted(found)


def faults_of(log_dirs, suffix, options):
    """(number of files, complaints)."""
    files = files_of(log_dirs, suffix)
    if not files:
        return 0, []
    status, output = kafka_tool('dump-log', '--files', ','.join(files), *options, timeout=120)
    faults = [line for line in output.splitlines() if COMPLAINTS.search(line) and not line.startswith('Dumping ')]
    if status != 0:
        faults.append('exit status %d: %s' % (status, output[-1500:]))
    dumped = set(re.findall(r'^Dumping (\S+)', output, re.MULTILINE))
    faults += ['%s was not dumped' % f for f in files if f not in dumped]
    return len(files), faults
