using System.Buffers.Binary;
using Qcow2.Engine.Formats.Vhdx;

namespace Qcow2.Engine.Tests.Formats.Vhdx;

/// <summary>Logs as crashes leave them, and as nobody leaves them ([MS-VHDX] 2.3).</summary>
public sealed class VhdxLogTests
{
    private const int MiB = 1 << 20;
    private const int Target = 4 * MiB;

    /// <summary>A disk of a block, whose data lies at <see cref="Target"/>, and a log that is to be replayed.</summary>
    private static VhdxBuilder Create()
    {
        var builder = new VhdxBuilder(MiB);
        Assert.Equal(Target, builder.Put(0, 6, Enumerable.Repeat((byte)1, MiB).ToArray()));
        builder.WriteHeaders(VhdxBuilder.LogGuid, 7);
        return builder;
    }

    [Fact]
    public void Entries_are_replayed_in_their_order_and_over_each_other()
    {
        VhdxBuilder builder = Create();
        int next = builder.Log(0, 5, 0, [(Target, Filled(0xA1), 0), (Target + 8192, null, 16384)]);
        builder.Log(next, 6, 0, [(Target + 4096, Filled(0xA2), 0), (Target + 12288, Filled(0xA3), 0)]);
        AssertShows(builder, 0xA1, 0xA2, 0, 0xA3, 0, 0, 1);
    }

    [Fact]
    public void What_lies_before_the_tail_of_the_last_entry_is_done_already()
    {
        VhdxBuilder builder = Create();
        int second = builder.Log(0, 5, 0, [(Target, Filled(0xA1), 0)]);
        builder.Log(second, 6, second, [(Target + 4096, Filled(0xA2), 0)]);
        AssertShows(builder, 1, 0xA2, 1);
    }

    [Fact]
    public void Log_goes_on_at_its_start()
    {
        VhdxBuilder builder = Create();
        int start = MiB - 4096;
        int next = builder.Log(start, ulong.MaxValue - 3, start, [(Target, Filled(0xB1), 0)]);
        Assert.Equal(4096, next);
        builder.Log(next, ulong.MaxValue - 2, start, [(Target + 4096, Filled(0xB2), 0)]);
        AssertShows(builder, 0xB1, 0xB2, 1);
    }

    /// <summary>What lies at the start of a full ring is the end of the run that counts, and does not count by itself.</summary>
    [Fact]
    public void Full_log_that_goes_on_at_its_start_is_found()
    {
        VhdxBuilder builder = Create();
        int start = 900 << 10;
        int position = start;
        for (ulong sequence = 1; sequence <= 125; sequence++)
        {
            position = builder.Log(position, sequence, start, [(Target, Filled((byte)sequence), 0)]);
        }

        AssertShows(builder, 125, 1);
    }

    [Fact]
    public void Of_several_runs_the_one_with_the_highest_number_counts()
    {
        VhdxBuilder builder = Create();
        builder.Log(0, 50, 0, [(Target, Filled(0xC1), 0)]);
        builder.Log(64 << 10, 9, 64 << 10, [(Target + 4096, Filled(0xC2), 0)]);
        AssertShows(builder, 0xC1, 1, 1);
    }

    [Fact]
    public void Run_whose_last_entry_needs_what_is_gone_does_not_count()
    {
        VhdxBuilder builder = Create();
        builder.Log(0, 50, 512 << 10, [(Target, Filled(0xC1), 0)]);
        builder.Log(64 << 10, 9, 64 << 10, [(Target + 4096, Filled(0xC2), 0)]);
        AssertShows(builder, 1, 0xC2, 1);
    }

    /// <summary>An entry that was not written whole ends the run before it.</summary>
    [Theory]
    [InlineData("sum")]
    [InlineData("descriptor's number")]
    [InlineData("sector's number")]
    [InlineData("length")]
    [InlineData("id")]
    [InlineData("count")]
    [InlineData("zero sequence")]
    public void Torn_entry_ends_the_run(string what)
    {
        VhdxBuilder builder = Create();
        int next = builder.Log(0, 5, 0, [(Target, Filled(0xD1), 0)]);
        builder.Log(next, 6, 0, [(Target + 4096, Filled(0xD2), 0)], entry =>
        {
            switch (what)
            {
                case "descriptor's number": entry[64 + 24] ^= 1; break;
                case "sector's number": entry[8191] ^= 1; break;
                case "length": BinaryPrimitives.WriteInt32LittleEndian(entry.AsSpan(8), 4096); break;
                case "id": entry[32] ^= 1; break;
                case "count": entry[24] = 2; break;
                case "zero sequence": entry.AsSpan(16, 8).Clear(); break;
            }
        });
        if (what == "sum")
        {
            builder.At(VhdxBuilder.LogOffset + next + 5000)[0] ^= 1;
        }

        AssertShows(builder, 0xD1, 1, 1);
    }

    [Fact]
    public void Number_after_the_last_is_none()
    {
        VhdxBuilder builder = Create();
        int next = builder.Log(0, ulong.MaxValue, 0, [(Target, Filled(0xE1), 0)]);
        builder.Log(next, 0, 0, [(Target + 4096, Filled(0xE2), 0)]);
        AssertShows(builder, 0xE1, 1);
    }

    [Fact]
    public void File_is_as_long_as_the_log_says_and_the_table_is_the_logs()
    {
        VhdxBuilder builder = Create();
        byte[] page = builder.At(VhdxBuilder.TableOffset).Slice(0, 4096).ToArray();
        BinaryPrimitives.WriteUInt64LittleEndian(page, (8UL * MiB) | 6);
        builder.Log(0, 5, 0, [(VhdxBuilder.TableOffset, page, 0)], entry => BinaryPrimitives.WriteInt64LittleEndian(entry.AsSpan(56), 9 * MiB));
        AssertShows(builder, 0, 0);
    }

    [Theory]
    [InlineData(64 << 10, "0x10000")]
    [InlineData(128 << 10, "0x20000")]
    [InlineData(VhdxBuilder.LogOffset + 4096, "0x101000")]
    [InlineData(Target + 512, "0x400200")]
    public void Log_that_writes_where_it_must_not_is_refused(long offset, string shown)
    {
        VhdxBuilder builder = Create();
        builder.Log(0, 5, 0, [(offset, Filled(1), 0)]);
        AssertRefused(builder, shown);
    }

    [Fact]
    public void Log_without_anything_valid_is_no_crash()
    {
        AssertRefused(Create(), "no entry of the log is valid");
    }

    [Fact]
    public void File_that_was_cut_off_after_its_log_was_written_is_refused()
    {
        VhdxBuilder builder = Create();
        builder.Log(0, 5, 0, [(Target, Filled(1), 0)], entry => BinaryPrimitives.WriteInt64LittleEndian(entry.AsSpan(48), 64 * MiB));
        AssertRefused(builder, "was cut off");
    }

    [Fact]
    public void Entries_within_entries_are_not_summed_for_ever()
    {
        // Every sector of the log claims to be an entry that is as long as the log.
        VhdxBuilder builder = Create();
        for (int position = 0; position < MiB; position += 4096)
        {
            builder.Log(position, 5, position, [], entry => BinaryPrimitives.WriteInt32LittleEndian(entry.AsSpan(8), MiB));
        }

        AssertRefused(builder, "entries within entries");
    }

    private static byte[] Filled(byte value) => [.. Enumerable.Repeat(value, 4096)];

    private static void AssertShows(VhdxBuilder builder, params byte[] sectors)
    {
        byte[] before = [.. builder.Bytes];
        using VhdxDisk disk = VhdxDisk.Open(new MemoryStorage(builder.Bytes), _ => throw new InvalidOperationException());
        byte[] content = new byte[sectors.Length * 4096];
        disk.Read(0, content);
        for (int i = 0; i < sectors.Length; i++)
        {
            Assert.Equal(-1, content.AsSpan(i * 4096, 4096).IndexOfAnyExcept(sectors[i]));
        }

        // A read across what the log holds and what it does not.
        byte[] part = new byte[6000];
        disk.Read(3000, part.AsSpan(0, Math.Min(part.Length, content.Length - 3000)));
        Assert.True(content.AsSpan(3000, Math.Min(part.Length, content.Length - 3000)).SequenceEqual(part.AsSpan(0, Math.Min(part.Length, content.Length - 3000))));
        Assert.Equal(before, builder.Bytes);
    }

    private static void AssertRefused(VhdxBuilder builder, string message)
    {
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => VhdxDisk.Open(new MemoryStorage(builder.Bytes), _ => throw new InvalidOperationException()));
        Assert.Equal(Qcow2ErrorCode.ImageCorrupt, error.Code);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }
}
