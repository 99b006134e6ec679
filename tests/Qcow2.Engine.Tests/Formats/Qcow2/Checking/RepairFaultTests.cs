using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Checking;

/// <summary>A host that fails in the middle of a repair, and a caller who stops it.</summary>
public sealed class RepairFaultTests
{
    [Theory]
    [InlineData("refcount table: first entry 0")]
    [InlineData("refcounts of 16 bits: all 0")]
    [InlineData("v3: two L2 entries for one cluster")]
    [InlineData("snapshots of v3: L2 entry past the end")]
    [InlineData("bitmaps: reserved flags")]
    [InlineData("dirty and corrupt")]
    public void Failure_of_any_write_or_flush_is_reported_and_the_next_repair_completes(string name)
    {
        byte[] broken = CorruptionCases.Get(name).Make().Bytes;
        int calls = CountCalls(broken);
        Assert.True(calls > 1);
        for (int failing = 0; failing < calls; failing++)
        {
            var storage = new MemoryStorage([.. broken]);
            int call = 0;
            void Fail()
            {
                if (call++ == failing)
                {
                    throw new IOException("No space left on device");
                }
            }

            storage.BeforeWrite = (_, _) => Fail();
            storage.BeforeFlush = Fail;
            Assert.Throws<IOException>(() => Qcow2Repairer.Repair(storage, Qcow2RepairMode.All));

            ImageReader.AssertSame(ImageReader.Read(broken), ImageReader.Read([.. storage.Content]));
            storage.BeforeWrite = null;
            storage.BeforeFlush = null;
            Assert.True(Qcow2Repairer.Repair(storage, Qcow2RepairMode.All).IsHealthy, $"After call {failing} of {calls} failed.");
            ImageReader.AssertSame(ImageReader.Read(broken), ImageReader.Read([.. storage.Content]));
        }
    }

    [Fact]
    public void Repair_can_be_stopped_before_it_writes()
    {
        byte[] broken = CorruptionCases.Get("refcount table: first entry 0").Make().Bytes;
        var storage = new MemoryStorage([.. broken]);
        Assert.ThrowsAny<OperationCanceledException>(() => Qcow2Repairer.Repair(storage, Qcow2RepairMode.All, cancellationToken: new CancellationToken(canceled: true)));
        Assert.Equal(broken, storage.Content);
    }

    [Fact]
    public void Unknown_autoclear_bits_are_cleared_by_a_repair_that_writes()
    {
        BuiltImage image = new ImageBuilder { DataClusters = 2, AutoclearFeatures = 1UL << 40 }.Build();
        var sound = new MemoryStorage([.. image.Bytes]) { BeforeWrite = (_, _) => Assert.Fail("Written.") };
        Qcow2Repairer.Repair(sound, Qcow2RepairMode.All);

        var leaky = new MemoryStorage([.. image.SetU64(image.L2EntryOffset(1), 0).Bytes]);
        Assert.True(Qcow2Repairer.Repair(leaky, Qcow2RepairMode.Leaks).IsHealthy);
        Assert.Equal(0, leaky.Content.AsSpan(HeaderOffset.AutoclearFeatures, 8).IndexOfAnyExcept((byte)0) + 1);
    }

    private static int CountCalls(byte[] broken)
    {
        int calls = 0;
        var storage = new MemoryStorage([.. broken]) { BeforeWrite = (_, _) => calls++, BeforeFlush = () => calls++ };
        Qcow2Repairer.Repair(storage, Qcow2RepairMode.All);
        return calls;
    }
}
