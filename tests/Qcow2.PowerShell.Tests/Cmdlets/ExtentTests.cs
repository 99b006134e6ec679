using System.Diagnostics;
using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Cmdlets;

public sealed class ExtentTests(ModuleSession session) : IClassFixture<ModuleSession>
{
    [Theory]
    [MemberData(nameof(Fixtures.WithMap), MemberType = typeof(Fixtures))]
    public void Covers_the_disk_without_gaps(string name)
    {
        SessionResult result = session.Run("param($path) Get-Qcow2Extent -LiteralPath $path", Fixtures.Get(name).Path);
        Assert.Empty(result.Errors);
        Assert.Empty(result.Warnings);
        long position = 0;
        foreach (Qcow2Extent extent in result.Of<Qcow2Extent>())
        {
            Assert.Equal(position, extent.Offset);
            position += extent.Length;
        }

        Assert.Equal(Qcow2ImageInfo.Read(Fixtures.Get(name).Path).Size, position);
    }

    [Theory]
    [InlineData("-Offset 64KB -Length 64KB")]
    [InlineData("-Offset '64KB' -Length '64K'")]
    [InlineData("-Offset 0x10000 -Length '0.0625M'")]
    public void Maps_a_part(string arguments)
    {
        Qcow2Extent extent = Assert.Single(session.With("zstd").Run($"Get-Qcow2Extent zstd.qcow2 {arguments}").Of<Qcow2Extent>());
        Assert.Equal(64 << 10, extent.Offset);
        Assert.Equal(64 << 10, extent.Length);
    }

    [Fact]
    public void A_hole_of_a_raw_backing_file_is_zero_and_what_is_nowhere_is_unallocated()
    {
        using (FileStream raw = File.Create(session.File("hole.raw")))
        {
            raw.SetLength(1 << 20);
        }

        session.Run("$null = New-Qcow2Image over-hole.qcow2 2MB -BackingFile hole.raw -BackingFormat raw");
        List<Qcow2Extent> extents = [.. session.Run("Get-Qcow2Extent over-hole.qcow2").Of<Qcow2Extent>()];
        Assert.Equal([(ExtentKind.Zero, 1, 0L), (ExtentKind.Unallocated, 0, null)], extents.Select(extent => (extent.Kind, extent.Depth, extent.HostOffset)));
    }

    [Fact]
    public void A_snapshot_is_mapped_with_its_own_size()
    {
        long Sum(string script) => session.With("snapshots").Run(script).Of<Qcow2Extent>().Sum(extent => extent.Length);
        Assert.Equal(256 << 10, Sum("Get-Qcow2Extent snapshots.qcow2 -SnapshotName first"));
        Assert.Equal(400 << 10, Sum("Get-Qcow2Snapshot snapshots.qcow2 -Id 3 | Get-Qcow2Extent"));
        Assert.Equal(128 << 10, Sum("Get-Qcow2Extent snapshots.qcow2 -Id 4"));
        Assert.Equal(["ParameterConflict"], session.Run("Get-Qcow2Snapshot snapshots.qcow2 -Id 3 | Get-Qcow2Extent -SnapshotName 4").ErrorIds);
    }

    [Fact]
    public void The_consumer_can_end_it_early()
    {
        session.With("sparse-1t");
        var time = Stopwatch.StartNew();
        Assert.Single(session.Run("Get-Qcow2Extent sparse-1t.qcow2 | ForEach-Object { $_; break }").Output);
        Assert.InRange(time.Elapsed, TimeSpan.Zero, Stopping.AtOnce);
    }

    [Fact]
    public void The_file_is_closed_when_the_command_ends()
    {
        session.With("v3").Run("Get-Qcow2Extent v3.qcow2");
        File.Move(session.File("v3.qcow2"), session.File("moved.qcow2"), overwrite: true);
        using FileStream file = new(session.File("moved.qcow2"), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
    }
}
