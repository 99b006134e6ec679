using Xunit.Abstractions;
using Xunit.Sdk;

namespace Qcow2.TestRunner;

/// <summary>Collects the tests that xunit finds.</summary>
internal sealed class Discovery : IMessageSink, IDisposable
{
    private readonly ManualResetEventSlim _complete = new();

    internal List<ITestCase> Cases { get; } = [];

    public bool OnMessage(IMessageSinkMessage message)
    {
        switch (message)
        {
            case ITestCaseDiscoveryMessage found:
                Cases.Add(found.TestCase);
                break;
            case IDiscoveryCompleteMessage:
                _complete.Set();
                break;
        }

        return true;
    }

    internal void Wait() => _complete.Wait();

    public void Dispose() => _complete.Dispose();
}
