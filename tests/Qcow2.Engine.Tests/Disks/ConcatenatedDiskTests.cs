using Qcow2.Engine.Conversion;
using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Disks;

public sealed class ConcatenatedDiskTests
{
    [Fact]
    public void Disks_that_are_too_large_together_are_refused()
        => Assert.Throws<ArgumentException>(() => new ConcatenatedDisk([new EndlessDisk(), new EndlessDisk()]));

    [Fact]
    public void A_chain_among_the_disks_is_measured()
    {
        using var folder = new TempFolder();
        Fixtures.Get("chain-top").CopyTo(folder);
        using var disk = new ConcatenatedDisk([Qcow2Image.Open(folder.File("chain-top.qcow2")), RawDisk.Open(new MemoryStorage(new byte[512]))]);
        using Qcow2Image alone = Qcow2Image.Open(folder.File("chain-top.qcow2"));
        Assert.InRange(ImageMeasure.ForDisk(disk).RequiredBytes, ImageMeasure.ForDisk(alone).RequiredBytes, long.MaxValue);
    }

    private sealed class EndlessDisk : VirtualDisk
    {
        public override string Path => "endless";

        public override long Length => long.MaxValue / 2;

        protected internal override void ReadCore(long offset, Span<byte> buffer) => buffer.Clear();

        protected internal override IEnumerable<DiskExtent> EnumerateExtents(long offset, long length, int depth) => [];

        protected internal override bool ReadsFrom(FileIdentity file) => false;
    }
}
