using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Conversion;

/// <summary>A huge disk with a sector of data here and there, each of which is another.</summary>
internal static class SparseSource
{
    /// <summary>Makes a disk, in a QCOW2 image: not every host has holes in files.</summary>
    /// <returns>The disk, open for reading.</returns>
    internal static Qcow2Image Make(string path, long size, long[] places)
    {
        using (Qcow2Image image = Qcow2Image.Create(path, size, new Qcow2CreateOptions { ClusterSize = 2 << 20 }, overwrite: true))
        {
            foreach (long place in places)
            {
                image.Write(place, SectorAt(place));
            }
        }

        return Qcow2Image.Open(path);
    }

    /// <summary>Looks at each place in a copy, by our own reader and, if it knows the format, by libvhdi, and that nothing else is there.</summary>
    internal static void AssertCopied(string path, string format, long size, long[] places)
    {
        using (VirtualDisk disk = DiskFormats.Get(format).Open(path))
        {
            AssertThere(disk, size, places);
            foreach (DiskExtent extent in disk.GetExtents().Where(extent => extent.Kind == ExtentKind.Data))
            {
                Assert.Contains(places, place => place >= extent.Offset && place < extent.Offset + extent.Length);
            }
        }

        if (Libvhdi.IsAvailable && format is "vhd" or "vhdx")
        {
            (long theirs, byte[][] sectors) = Libvhdi.Look(path, places);
            Assert.Equal(size, theirs);
            Assert.Equal(places.Select(SectorAt), sectors);
        }
    }

    /// <summary>Looks at each place in a disk.</summary>
    internal static void AssertThere(VirtualDisk disk, long size, long[] places)
    {
        Assert.Equal(size, disk.Length);
        foreach (long place in places)
        {
            byte[] sector = new byte[512];
            Assert.Equal(512, disk.Read(place, sector));
            Assert.Equal(SectorAt(place), sector);
        }
    }

    private static byte[] SectorAt(long place)
    {
        byte[] sector = new byte[512];
        new Random(place.GetHashCode()).NextBytes(sector);
        return sector;
    }
}
