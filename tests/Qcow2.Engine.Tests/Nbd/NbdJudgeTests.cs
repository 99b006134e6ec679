using Qcow2.Engine.Nbd;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Nbd;

/// <summary>What other programs make of the server: libnbd's and QEMU's.</summary>
public sealed class NbdJudgeTests
{
    [QemuTheory("nbdinfo", "nbdcopy", "bash")]
    [InlineData(true)]
    [InlineData(false)]
    public void Other_programs_see_the_disk(bool onUnixSocket)
    {
        using var folder = new TempFolder();
        string image = Chain(folder);
        string raw = folder.File("disk.raw");
        QemuImg.Run("convert", "-O", "raw", image, raw);
        using Qcow2Image disk = Qcow2Image.Open(image);
        var bitmap = new NbdBitmap("b 1", [new DiskRange(65_536, 131_072)]);
        NbdListener listener = onUnixSocket ? NbdListener.OnUnixSocket(folder.File("s")) : NbdListener.OnTcp(System.Net.IPAddress.Loopback, 0);
        using NbdServer server = NbdServer.Start(listener, new NbdExport(disk, "disk one", bitmaps: [bitmap]));
        string uri = server.Uri;

        string info = Sh($"nbdinfo --json '{uri}'");
        Assert.Contains("\"export-size\": 4194304", info, StringComparison.Ordinal);
        Assert.Contains("\"is_read_only\": true", info, StringComparison.Ordinal);
        Assert.Contains("\"can_multi_conn\": true", info, StringComparison.Ordinal);
        Assert.Contains("\"qemu:dirty-bitmap:b 1\"", info, StringComparison.Ordinal);
        Assert.Contains("disk one", Sh($"nbdinfo --list '{uri}'"), StringComparison.Ordinal);
        Assert.Contains("65536      131072    1", Sh($"nbdinfo '--map=qemu:dirty-bitmap:b 1' '{uri}'"), StringComparison.Ordinal);

        string copy = folder.File("copy.raw");
        Sh($"nbdcopy '{uri}' {copy}");
        Assert.Equal(File.ReadAllBytes(raw), File.ReadAllBytes(copy));
        QemuImg.Run("compare", "-f", "raw", "-F", "raw", raw, uri);
        QemuImg.Run("convert", "-f", "raw", "-O", "raw", uri, copy);
        Assert.Equal(File.ReadAllBytes(raw), File.ReadAllBytes(copy));
        Assert.Contains("read 1000/1000", QemuImg.RunIo("-r", "-f", "raw", "-c", "read 4193304 1000", uri), StringComparison.Ordinal);

        // qemu-nbd says the same of the same image, in every context.
        foreach (string context in (string[])["base:allocation", "qemu:allocation-depth"])
        {
            Assert.Equal(
                Sh($"nbdinfo --map={context} -- [ qemu-nbd -r -A -f qcow2 {image} ]"),
                Sh($"nbdinfo --map={context} '{uri}'"));
        }

        // The last one has ended, and the server hears of that when it gets to it.
        Assert.True(SpinWait.SpinUntil(() => server.ClientCount == 0, TimeSpan.FromSeconds(20)));
    }

    [QemuTheory("nbdcopy", "bash")]
    [InlineData("qcow2")]
    [InlineData("raw")]
    public void Other_programs_write(string format)
    {
        using var folder = new TempFolder();
        string source = folder.File("source.raw");
        QemuImg.Run("convert", "-O", "raw", Chain(folder), source);
        string image = folder.File("image");
        QemuImg.Run("create", "-f", format, image, "4M");
        VirtualDisk disk = DiskFormats.Get(format).Open(image, new Qcow2OpenOptions { Writable = true });
        using (NbdServer server = NbdServer.Start(NbdListener.OnUnixSocket(folder.File("s")), new NbdExport(disk, isWritable: true)))
        {
            Sh($"nbdcopy {source} '{server.Uri}'");
            QemuImg.Run("compare", "-f", "raw", "-F", "raw", source, server.Uri);
            QemuImg.RunIo(
                "-f", "raw", "-c", "write -P 7 1000 70000", "-c", "write -f -P 8 200000 5", "-c", "write -z 300000 70000", "-c", "write -z -u 1M 1M", "-c", "discard 3M 512k",
                "-c", "flush", "-c", "read -P 7 1000 70000", "-c", "read -P 0 300000 70000", "-c", "read -P 0 1M 1M", server.Uri);
            QemuImg.Run("convert", "-n", "-f", "raw", "-O", "raw", source, server.Uri);
        }

        QemuImg.Run("compare", "-f", format, "-F", "raw", image, source);
        if (format == "qcow2")
        {
            QemuImg.Run("check", image);
        }
    }

    /// <summary>Data, zeros and holes in two layers.</summary>
    private static string Chain(TempFolder folder)
    {
        string below = folder.File("below.qcow2");
        string above = folder.File("above.qcow2");
        QemuImg.Run("create", "-f", "qcow2", below, "4M");
        QemuImg.RunIo("-c", "write -P 1 0 200k", "-c", "write -P 2 1M 64k", "-c", "write -z 2M 64k", below);
        QemuImg.Run("create", "-f", "qcow2", "-b", below, "-F", "qcow2", above);
        QemuImg.RunIo("-c", "write -P 3 64k 64k", "-c", "write -z 1M 64k", "-c", "write -P 4 3M 100", above);
        return above;
    }

    private static string Sh(string command) => Shell.Run("bash", "-c", command);
}
