using Xunit.Abstractions;
using Xunit.Sdk;

namespace Qcow2.TestRunner;

/// <summary>Counts what xunit reports, and shows every failure that the list of known gaps does not have.</summary>
internal sealed class Tally(KnownGaps gaps) : IMessageSink, IDisposable
{
    private readonly ManualResetEventSlim _complete = new();
    private readonly object _gate = new();

    internal int Passed { get; private set; }

    internal int Failed { get; private set; }

    internal int Known { get; private set; }

    internal Dictionary<string, int> Skipped { get; } = [];

    public bool OnMessage(IMessageSinkMessage message)
    {
        lock (_gate)
        {
            switch (message)
            {
                case ITestPassed passed:
                    Count(passed.Test, null);
                    break;
                case ITestFailed failed:
                    Count(failed.Test, failed);
                    break;
                case ITestSkipped skipped:
                    Skipped[skipped.Reason] = Skipped.TryGetValue(skipped.Reason, out int count) ? count + 1 : 1;
                    break;
                case ITestAssemblyFinished:
                    _complete.Set();
                    break;

                // A constructor of a fixture, a clean-up: no test's own failure, and none that a list could have.
                case IFailureInformation other:
                    Failed++;
                    Show(other.GetType().Name, other);
                    break;
            }
        }

        return true;
    }

    internal void Wait() => _complete.Wait();

    public void Dispose() => _complete.Dispose();

    private void Count(ITest test, IFailureInformation? failure)
    {
        Gap? gap = gaps.Find(test.TestCase, test.DisplayName);
        if (failure is null)
        {
            Passed++;
            gap?.HasPassed = true;
        }
        else if (gap is not null)
        {
            Known++;
            gap.HasFailed = true;
        }
        else
        {
            Failed++;
            Show(test.DisplayName, failure);
        }
    }

    private static void Show(string name, IFailureInformation failure)
    {
        Console.WriteLine("FAILED " + name);
        for (int i = 0; i < failure.Messages.Length; i++)
        {
            Console.WriteLine($"  {failure.ExceptionTypes[i]}: {failure.Messages[i]}");
            foreach (string line in (failure.StackTraces[i] ?? "").Split('\n').Take(12))
            {
                Console.WriteLine("  " + line.TrimEnd());
            }
        }
    }
}
