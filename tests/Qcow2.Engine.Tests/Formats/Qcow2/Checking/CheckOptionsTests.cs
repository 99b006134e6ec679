using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Checking;

/// <summary>What is looked for on request, and the bounds of a check.</summary>
public sealed class CheckOptionsTests
{
    public static TheoryData<string> Readable => Fixtures.Select(fixture => fixture.HasMap);

    [Theory, MemberData(nameof(Readable))]
    public void Data_of_a_sound_image_is_readable(string name)
    {
        Fixture fixture = Fixtures.Get(name);
        Qcow2CheckResult result = Qcow2Checker.Check(fixture.Path, new Qcow2CheckOptions { ReadData = true });
        Assert.DoesNotContain(result.Findings, finding => finding.Kind == Qcow2CheckFindingKind.DataUnreadable);
    }

    [Fact]
    public void Damaged_stream_is_found_by_reading_only()
    {
        byte[] image = CorruptionCases.Get("compressed: payload destroyed").Make().Bytes;
        Assert.True(Qcow2Checker.Check(new MemoryStorage(image)).IsHealthy);

        Qcow2CheckResult result = Qcow2Checker.Check(new MemoryStorage(image), new Qcow2CheckOptions { ReadData = true });
        Assert.Equal(1, result.Corruptions);
        Qcow2CheckFinding finding = Assert.Single(result.Findings);
        Assert.Equal((Qcow2CheckFindingKind.DataUnreadable, Qcow2CheckSeverity.Corruption), (finding.Kind, finding.Severity));
        Assert.Contains("guest offset 0x2000", finding.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Sector_that_the_host_cannot_read_is_found_by_reading_only()
    {
        BuiltImage image = new ImageBuilder { DataClusters = 2 }.Build();
        var storage = new MemoryStorage(image.Bytes)
        {
            BeforeRead = (offset, _) =>
            {
                if (offset == image.DataOffsets[0])
                {
                    throw new IOException("Bad sector.");
                }
            },
        };
        Assert.True(Qcow2Checker.Check(storage).IsHealthy);
        Assert.Contains("Bad sector", Assert.Single(Qcow2Checker.Check(storage, new Qcow2CheckOptions { ReadData = true }).Findings).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("backing-qcow2", Qcow2CheckFindingKind.ReferenceToOtherFile)]
    [InlineData("backing-json", Qcow2CheckFindingKind.ReferenceToOtherFile)]
    [InlineData("data-file", Qcow2CheckFindingKind.ReferenceToOtherFile)]
    public void References_make_an_image_untrusted(string name, Qcow2CheckFindingKind kind)
    {
        string path = Fixtures.Get(name).Path;
        Assert.True(Qcow2Checker.Check(path).IsHealthy);
        Qcow2CheckResult result = Qcow2Checker.Check(path, new Qcow2CheckOptions { Untrusted = true });
        Assert.False(result.IsHealthy);
        Qcow2CheckFinding finding = Assert.Single(result.Findings);
        Assert.Equal((kind, Qcow2CheckSeverity.Warning), (finding.Kind, finding.Severity));
    }

    [Fact]
    public void Tables_that_are_most_of_the_file_make_an_image_untrusted()
    {
        byte[] image = new ImageBuilder { ClusterBits = 16, Size = 1UL << 47, DataClusters = 0 }.Build().Bytes;
        Assert.True(Qcow2Checker.Check(new MemoryStorage(image)).IsHealthy);
        Assert.Contains(
            Qcow2Checker.Check(new MemoryStorage(image), new Qcow2CheckOptions { Untrusted = true }).Findings, finding => finding.Kind == Qcow2CheckFindingKind.TablesOversized);
    }

    [Fact]
    public void Sound_image_of_its_own_is_trusted()
        => Assert.True(Qcow2Checker.Check(Fixtures.Get("v3").Path, new Qcow2CheckOptions { Untrusted = true, ReadData = true }).IsHealthy);

    [Fact]
    public void First_findings_are_kept_and_all_are_counted()
    {
        byte[] image = CorruptionCases.Get("every entry of the L2 table misaligned").Make().Bytes;
        Qcow2CheckResult all = Qcow2Checker.Check(new MemoryStorage(image), new Qcow2CheckOptions { MaxFindings = 100_000 });
        foreach (int most in (ReadOnlySpan<int>)[0, 1, 10, 100])
        {
            Qcow2CheckResult few = Qcow2Checker.Check(new MemoryStorage(image), new Qcow2CheckOptions { MaxFindings = most });
            Assert.Equal(CheckNumbers.Of(all), CheckNumbers.Of(few));
            Assert.Equal(all.FindingCount, few.FindingCount);
            Assert.Equal(all.Findings.Take(most).Select(finding => finding.Message), few.Findings.Select(finding => finding.Message));
        }
    }

    [Fact]
    public void Check_of_what_is_no_image_throws()
        => Assert.Equal(Qcow2ErrorCode.NotQcow2, Assert.Throws<Qcow2Exception>(() => Qcow2Checker.Check(new MemoryStorage(new byte[100_000]))).Code);

    [Fact]
    public void Check_can_be_stopped_and_reports_progress()
    {
        Assert.ThrowsAny<OperationCanceledException>(
            () => Qcow2Checker.Check(Fixtures.Get("preallocated-metadata").Path, cancellationToken: new CancellationToken(canceled: true)));
        var seen = new Progress();
        Qcow2Checker.Check(Fixtures.Get("preallocated-metadata").Path, progress: seen);
        Assert.True(seen.Last is { BytesTotal: > 0 } last && last.BytesDone == last.BytesTotal);
    }

    /// <summary>A file of 40 KiB that claims 2 PiB of tables.</summary>
    [Fact]
    public void Many_snapshots_with_one_huge_table_take_no_time()
    {
        const int Count = 2_000;
        BuiltImage image = new ImageBuilder { DataClusters = 2, Snapshots = [.. Enumerable.Range(1, Count).Select(n => new BuilderSnapshot($"{n}", "s"))] }.Build();
        using var folder = new TempFolder();
        string path = folder.Write("hostile.qcow2", image.Bytes);
        using (FileStream file = File.OpenWrite(path))
        {
            file.SetLength(1L << 36);
        }

        for (int i = 0; i < Count; i++)
        {
            image.SetU32(image.SnapshotEntryOffsets[i] + 8, 4 << 20).SetU64(image.SnapshotEntryOffsets[i], (uint)image.L1Offset + ((ulong)i << 12));
        }

        using (FileStream file = File.OpenWrite(path))
        {
            file.Write(image.Bytes);
        }

        var watch = System.Diagnostics.Stopwatch.StartNew();
        Qcow2CheckResult result = Qcow2Checker.Check(path);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(15), $"{watch.Elapsed}");
        Assert.False(result.IsHealthy);
    }

    private sealed class Progress : IProgress<Qcow2CheckProgress>
    {
        private readonly object _gate = new();

        internal Qcow2CheckProgress Last { get; private set; }

        public void Report(Qcow2CheckProgress value)
        {
            lock (_gate)
            {
                Last = value.BytesDone > Last.BytesDone ? value : Last;
            }
        }
    }
}
