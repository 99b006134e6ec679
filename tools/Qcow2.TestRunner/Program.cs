using System.Reflection;
using Qcow2.TestRunner;
using Xunit.Abstractions;
using Xunit.Sdk;

if (args.Length < 2)
{
    Console.Error.WriteLine("usage: Qcow2.TestRunner ASSEMBLY KNOWN-GAPS.tsv [PART OF A NAME ...]");
    return 2;
}

string path = Path.GetFullPath(args[0]);
var gaps = new KnownGaps(args[1]);
string[] parts = [.. args.Skip(2)];

Assembly assembly = Assembly.LoadFrom(path);
using var discovery = new Discovery();
using var framework = new XunitTestFramework(discovery);
using ITestFrameworkDiscoverer discoverer = framework.GetDiscoverer(Reflector.Wrap(assembly));
discoverer.Find(false, discovery, new FrameworkOptions());
discovery.Wait();

var chosen = new List<ITestCase>();
var withheld = new HashSet<Gap>();
foreach (ITestCase test in discovery.Cases)
{
    Gap? gap = gaps.Find(test, test.DisplayName);
    string method = test.TestMethod.TestClass.Class.Name + "." + test.TestMethod.Method.Name;
    if (parts.Length > 0 && !parts.Any(method.Contains))
    {
        continue;
    }

    if (gap is { Runs: false })
    {
        withheld.Add(gap);
    }
    else
    {
        chosen.Add(test);
    }
}

using var tally = new Tally(gaps);
using ITestFrameworkExecutor executor = framework.GetExecutor(assembly.GetName());
executor.RunTests(chosen, tally, new FrameworkOptions());
tally.Wait();

foreach (KeyValuePair<string, int> skipped in tally.Skipped.OrderByDescending(pair => pair.Value))
{
    Console.WriteLine($"Skipped {skipped.Value}: {skipped.Key}");
}

foreach (Gap gap in gaps.All.Where(gap => gap.HasFailed || withheld.Contains(gap)))
{
    Console.WriteLine($"Known gap{(gap.Runs ? "" : ", not run")}: {gap.Test}: {gap.Cause}");
}

// What passes needs no excuse any more.
Gap[] closed = [.. gaps.All.Where(gap => gap is { HasPassed: true, HasFailed: false } or { IsKnown: false })];
foreach (Gap gap in closed)
{
    Console.WriteLine($"NO LONGER A GAP {gap.Test}: {(gap.IsKnown ? "it passes" : "there is no such test")}; take it off the list.");
}

Console.WriteLine(
    $"{Path.GetFileNameWithoutExtension(path)}: {tally.Passed} passed, {tally.Failed} failed, {tally.Skipped.Values.Sum()} skipped, "
    + $"{tally.Known} known gaps, {withheld.Count} not run.");
Console.Out.Flush();

// Threads that a failed test left must not keep the process.
Environment.Exit(tally.Failed > 0 || closed.Length > 0 || tally.Passed == 0 ? 1 : 0);
return 0;
