using System.Net;
using Qcow2.Engine.Nbd;

namespace Qcow2.Engine.Tests.Nbd;

/// <summary>A server on a free port, stopped with the test.</summary>
internal sealed class NbdTestServer : IDisposable
{
    internal NbdTestServer(VirtualDisk disk, bool isWritable = false, string name = "", NbdServerOptions? options = null, params NbdBitmap[] bitmaps)
    {
        Listener = NbdListener.OnTcp(IPAddress.Loopback, 0);
        Server = NbdServer.Start(Listener, new NbdExport(disk, name, isWritable, bitmaps), options);
    }

    internal NbdListener Listener { get; }

    internal NbdServer Server { get; }

    internal NbdTestClient Connect(bool structured = true, params string[] contexts) => NbdTestClient.Connect(Listener, structured, contexts);

    internal static RawDisk Raw(int length, out MemoryStorage storage, bool isWritable = false)
    {
        byte[] content = new byte[length];
        new Random(7).NextBytes(content);
        storage = new MemoryStorage(content);
        return RawDisk.Open(storage, isWritable);
    }

    internal static void WaitUntil(Func<bool> isSo)
    {
        for (int i = 0; i < 400 && !isSo(); i++)
        {
            Thread.Sleep(50);
        }

        Assert.True(isSo());
    }

    public void Dispose() => Server.Dispose();
}
