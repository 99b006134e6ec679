using System.Diagnostics;
using Qcow2.Engine.Formats.Vhd;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Vhd;

/// <summary>Random disks against a model, and damaged ones that must be read or refused. QCOW2_TEST_ROUNDS makes both longer.</summary>
public sealed class VhdModelTests
{
    private static readonly TimeSpan MostTime = TimeSpan.FromSeconds(20);

    private const long MostMemory = 64L << 20;

    [Fact]
    public void A_disk_shows_what_the_model_shows()
    {
        int seed = TestRounds.Seed("vhd");
        for (int i = 0; i < TestRounds.Times(150); i++)
        {
            try
            {
                Compare(new RandomVhd(seed + i), new Random(seed + i));
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"QCOW2_TEST_SEED={seed + i} shows it.", e);
            }
        }
    }

    [Fact]
    public void Damaged_disks_are_read_or_refused()
    {
        int seed = TestRounds.Seed("vhd mutation");
        for (int i = 0; i < TestRounds.Times(1500); i++)
        {
            byte[] file = Mutate(seed + i, out bool hasParent);
            try
            {
                var watch = Stopwatch.StartNew();
                long allocated = GC.GetAllocatedBytesForCurrentThread();
                OpenAndRead(file, hasParent);
                allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
                Assert.True(watch.Elapsed < MostTime && allocated < MostMemory, $"It took {watch.Elapsed} and {allocated} bytes.");
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"QCOW2_TEST_SEED={seed + i} shows it.", e);
            }
        }
    }

    private static void Compare(RandomVhd model, Random random)
    {
        byte[] file = model.Builder.Build();
        using VhdDisk disk = VhdImages.Open(file, model.MakeParent());
        AssertSame(model.Content, VhdImages.ReadAll(disk), 0);
        for (int i = 0; i < 20; i++)
        {
            int offset = random.Next(model.Content.Length);
            byte[] part = new byte[random.Next(1, Math.Min(200_000, model.Content.Length - offset) + 1)];
            Assert.Equal(part.Length, disk.Read(offset, part));
            AssertSame(model.Content.AsSpan(offset, part.Length), part, offset);
        }

        int start = random.Next(model.Content.Length);
        CompareExtents(model, file, disk, 0, model.Content.Length);
        CompareExtents(model, file, disk, start, random.Next(1, model.Content.Length - start + 1));
    }

    private static void CompareExtents(RandomVhd model, byte[] file, VhdDisk disk, long offset, long length)
    {
        long position = offset;
        foreach (DiskExtent extent in disk.GetExtents(offset, length))
        {
            Assert.Equal(position, extent.Offset);
            position = extent.End;
            ReadOnlySpan<byte> shown = model.Content.AsSpan((int)extent.Offset, (int)extent.Length);
            if (extent.Kind != ExtentKind.Data)
            {
                Assert.Equal(0, extent.Depth);
                Assert.False(shown.ContainsAnyExcept((byte)0));
                Assert.Null(extent.HostOffset);
                Assert.Equal(extent.Kind == ExtentKind.Zero, !model.IsDifferencing && IsInBlock(model, extent.Offset));
                continue;
            }

            Assert.Equal(extent.Depth == 0 ? "memory" : "parent", extent.FilePath);
            byte[] from = extent.Depth == 0 ? file : model.ParentContent;
            AssertSame(shown, from.AsSpan((int)extent.HostOffset!.Value, (int)extent.Length), extent.Offset);
        }

        Assert.Equal(offset + length, position);
    }

    private static bool IsInBlock(RandomVhd model, long offset) => model.Builder.Blocks.Any(block => block.Number == offset / model.Builder.BlockSize);

    private static void AssertSame(ReadOnlySpan<byte> expected, ReadOnlySpan<byte> actual, long offset)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.True(expected.SequenceEqual(actual), $"The first difference is at {offset + expected.CommonPrefixLength(actual)}.");
    }

    /// <summary>Bytes of the headers, of the table and of bitmaps are changed, with the check sums made right again in most cases.</summary>
    private static byte[] Mutate(int seed, out bool hasParent)
    {
        var random = new Random(seed);
        int blockSize = 512 << random.Next(8);
        bool isDifferencing = random.Next(2) == 0;
        bool seals = random.Next(5) != 0;
        void Damage(byte[] bytes)
        {
            for (int i = random.Next(4); i > 0; i--)
            {
                int position = random.Next(8) == 0 ? random.Next(bytes.Length) : random.Next(Math.Min(bytes.Length, 88));
                bytes[position] = random.Next(4) switch { 0 => 0, 1 => 0xff, 2 => (byte)(bytes[position] ^ (1 << random.Next(8))), _ => (byte)random.Next(256) };
            }
        }

        int changed = random.Next(8);
        var builder = new VhdBuilder
        {
            DiskType = isDifferencing ? 4u : random.Next(8) == 0 ? 2u : 3u,
            Size = random.Next(1, 200) * 512L,
            BlockSize = blockSize,
            Content = new byte[random.Next(200) * 512],
            HasTrailingFooter = random.Next(6) != 0,
            HasLeadingFooter = random.Next(6) != 0,
            ParentName = "p",
            Locators = { ("W2ru", @".\p.vhd"), ("W2ku", @"C:\p.vhd") },
            EditFooter = (changed & 1) != 0 ? Damage : null,
            EditHeader = (changed & 2) != 0 ? Damage : null,
            EditTable = (changed & 4) != 0 ? Damage : null,
        };
        for (int i = 0; i < builder.BlockCount; i++)
        {
            byte[] bitmap = new byte[builder.BitmapBytes];
            random.NextBytes(bitmap);
            builder.Blocks.Add((i, bitmap, new byte[blockSize]));
        }

        byte[] file = builder.Build();
        if (!seals)
        {
            file[random.Next(file.Length)] ^= 1;
        }

        hasParent = isDifferencing;
        return random.Next(10) == 0 ? file[..random.Next(file.Length + 1)] : file;
    }

    private static void OpenAndRead(byte[] file, bool hasParent)
    {
        foreach (bool isSalvage in (bool[])[false, true])
        {
            try
            {
                VhdParent? parent = hasParent ? new VhdParent(RawDisk.Open(new MemoryStorage(new byte[50_000])), Guid.Empty, 0) : null;
                using VhdDisk disk = VhdImages.Open(file, parent, isSaid: true, isSalvage);
                ReadSome(disk);
            }
            catch (Qcow2Exception)
            {
                // Refused in words.
            }
        }
    }

    private static void ReadSome(VhdDisk disk)
    {
        // A size that is a lie is read at its ends.
        byte[] part = new byte[(int)Math.Min(disk.Length, 1 << 20)];
        foreach (long offset in (long[])[0, Math.Max(0, disk.Length - part.Length)])
        {
            try
            {
                disk.Read(offset, part);
            }
            catch (Qcow2Exception)
            {
                Assert.True(disk.DamageEnd(offset) > offset);
            }
        }

        foreach (DiskExtent extent in disk.GetExtents().Take(10_000))
        {
            Assert.True(extent.Length > 0);
        }
    }
}
