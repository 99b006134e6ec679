using Xunit.Abstractions;

namespace Qcow2.TestRunner;

/// <summary>
/// The tests that cannot pass on a host, each with the cause. A line of the list is <c>test, fails or not-run, cause</c>, parted by tabs; the
/// test is <c>Class.Method</c>, for all its cases, or <c>Class.Method(arguments)</c> as a run displays it. Lines with # are comments.
/// </summary>
internal sealed class KnownGaps
{
    private readonly Dictionary<string, Gap> _gaps = new(StringComparer.Ordinal);

    internal KnownGaps(string path)
    {
        foreach (string line in File.ReadAllLines(path))
        {
            if (line.Length == 0 || line[0] == '#')
            {
                continue;
            }

            string[] cells = line.Split('\t');
            if (cells.Length != 3 || cells[1] is not ("fails" or "not-run") || cells[2].Length == 0)
            {
                throw new FormatException($"{path}: a line is not 'test, fails or not-run, cause', parted by tabs: {line}");
            }

            _gaps.Add(cells[0], new Gap(cells[0], cells[1] == "fails", cells[2]));
        }
    }

    internal IEnumerable<Gap> All => _gaps.Values;

    /// <summary>The gap that a case belongs to; null where it has to pass.</summary>
    internal Gap? Find(ITestCase test, string displayName)
    {
        string name = $"{test.TestMethod.TestClass.Class.Name.Split('.').Last()}.{test.TestMethod.Method.Name}";
        int arguments = displayName.IndexOf('(');
        string oneCase = arguments < 0 ? name : $"{name}{displayName.Substring(arguments)}";
        if (_gaps.TryGetValue(oneCase, out Gap? gap) || _gaps.TryGetValue(name, out gap))
        {
            gap.IsKnown = true;
        }

        return gap;
    }
}

/// <summary>One line of the list, and what came of it.</summary>
internal sealed class Gap(string test, bool runs, string cause)
{
    internal string Test { get; } = test;

    /// <summary>False for a test that would end or stop the process.</summary>
    internal bool Runs { get; } = runs;

    internal string Cause { get; } = cause;

    /// <summary>Whether there is such a test.</summary>
    internal bool IsKnown { get; set; }

    internal bool HasPassed { get; set; }

    internal bool HasFailed { get; set; }
}
