using System.Text;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Bitmaps;

namespace Qcow2.Engine;

/// <content>Persistent bitmaps: what <c>qemu-img bitmap</c> does with them.</content>
public sealed partial class Qcow2Image
{
    /// <summary>Granularity of a bitmap where none is given: the cluster size, but at least 4 KiB and at most 64 KiB, as QEMU has it.</summary>
    public long DefaultBitmapGranularity => Math.Max(4096, Math.Min(65_536, Header.ClusterSize));

    /// <summary>
    /// Adds a bitmap in which nothing is dirty. It is on the disk when this returns; an enabled one is saved when the image is closed.
    /// </summary>
    /// <param name="name">The name; 1 to 1,023 bytes of UTF-8, unique within the image.</param>
    /// <param name="granularity">
    /// Bytes of the disk that one bit stands for, a power of two from 512 to 2 GiB; null for <see cref="DefaultBitmapGranularity"/>.
    /// </param>
    /// <param name="enabled">Whether the bitmap records what is written from now on.</param>
    /// <exception cref="ArgumentException">The name or the granularity is not one that a bitmap can have.</exception>
    /// <exception cref="NotSupportedException">The image is open for reading only.</exception>
    /// <exception cref="Qcow2Exception">The image is of version 2, has a bitmap of that name, or the bitmap would pass a limit.</exception>
    /// <exception cref="IOException">The host could not write. The image is consistent.</exception>
    public void CreateBitmap(string name, long? granularity = null, bool enabled = true)
    {
        int length = Encoding.UTF8.GetByteCount(name);
        if (length is 0 or > Qcow2Limits.MaxBitmapNameBytes)
        {
            throw new ArgumentException($"A bitmap's name has 1 to {Qcow2Limits.MaxBitmapNameBytes} bytes of UTF-8; this one has {length}.", nameof(name));
        }

        long bytes = granularity ?? DefaultBitmapGranularity;
        int bits = Qcow2Limits.MinBitmapGranularityBits;
        while (bits < Qcow2Limits.MaxBitmapGranularityBits && 1L << bits < bytes)
        {
            bits++;
        }

        if (1L << bits != bytes)
        {
            throw new ArgumentException(
                $"A granularity of {bytes} bytes is not a power of two from {1L << Qcow2Limits.MinBitmapGranularityBits} to {1L << Qcow2Limits.MaxBitmapGranularityBits}.",
                nameof(granularity));
        }

        EditBitmaps(bitmaps => bitmaps.Create(name, bits, enabled));
    }

    /// <summary>Removes a bitmap; also one that was never saved.</summary>
    /// <param name="name">Its name.</param>
    /// <exception cref="NotSupportedException">The image is open for reading only.</exception>
    /// <exception cref="Qcow2Exception">There is no such bitmap.</exception>
    public void RemoveBitmap(string name) => EditBitmaps(bitmaps => bitmaps.Remove(name));

    /// <summary>Makes every bit of a bitmap clear.</summary>
    /// <param name="name">Its name.</param>
    /// <exception cref="NotSupportedException">The image is open for reading only.</exception>
    /// <exception cref="Qcow2Exception">There is no such bitmap, or it was never saved.</exception>
    public void ClearBitmap(string name) => EditBitmaps(bitmaps => bitmaps.Clear(name));

    /// <summary>Lets a bitmap record what is written from now on. Does nothing if it does already.</summary>
    /// <param name="name">Its name.</param>
    /// <exception cref="NotSupportedException">The image is open for reading only.</exception>
    /// <exception cref="Qcow2Exception">There is no such bitmap, or it was never saved.</exception>
    public void EnableBitmap(string name) => EditBitmaps(bitmaps => bitmaps.Enable(name));

    /// <summary>Saves a bitmap and lets it record no more. Does nothing if it is disabled already.</summary>
    /// <param name="name">Its name.</param>
    /// <exception cref="NotSupportedException">The image is open for reading only.</exception>
    /// <exception cref="Qcow2Exception">There is no such bitmap, or it was never saved.</exception>
    public void DisableBitmap(string name) => EditBitmaps(bitmaps => bitmaps.Disable(name));

    /// <summary>Sets in a bitmap whatever is set in another, which stays as it is. Their granularities may differ.</summary>
    /// <param name="source">The bitmap that is read.</param>
    /// <param name="target">The bitmap that gets the other's bits.</param>
    /// <exception cref="NotSupportedException">The image is open for reading only.</exception>
    /// <exception cref="Qcow2Exception">There is no such bitmap, or one of them was never saved.</exception>
    public void MergeBitmap(string source, string target) => EditBitmaps(bitmaps => bitmaps.Merge(source, target));

    /// <summary>Sets in a bitmap whatever is set in one of another image, which stays as it is. Their granularities may differ.</summary>
    /// <param name="source">The other image, open for reading only; its disk has the size of this one's.</param>
    /// <param name="sourceName">Its bitmap that is read.</param>
    /// <param name="target">The bitmap of this image that gets the other's bits.</param>
    /// <param name="cancellationToken">Stops the reading of the other bitmap; this image is not changed then.</param>
    /// <exception cref="ArgumentException">The other image is open for writing, or the disks differ in size.</exception>
    /// <exception cref="NotSupportedException">This image is open for reading only.</exception>
    /// <exception cref="Qcow2Exception">There is no such bitmap, or one of them was never saved or is damaged.</exception>
    public void MergeBitmap(Qcow2Image source, string sourceName, string target, CancellationToken cancellationToken = default)
    {
        BitmapDirectoryEntry entry = BitmapCopier.Find(source, sourceName);
        BitmapCopier.RequireSameSize(source, this);
        BitmapContent content = source.OpenBitmap(entry);
        foreach (var _ in content.DirtyRanges(entry.GranularityBits))
        {
            cancellationToken.ThrowIfCancellationRequested(); // All of it can be read, or nothing is changed.
        }

        EditBitmaps(bitmaps => bitmaps.Merge(content.DirtyRanges(entry.GranularityBits), target));
    }

    /// <summary>The parts of the disk that a bitmap marks, in order and joined; each bit stands for a whole granularity, the last one may reach past the disk's end.</summary>
    /// <param name="name">The bitmap's name.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <exception cref="NotSupportedException">The image was written since it was opened, so that its bitmaps are changing.</exception>
    /// <exception cref="Qcow2Exception">There is no such bitmap, or it was never saved or is damaged.</exception>
    public IReadOnlyList<DiskRange> GetBitmapRanges(string name, CancellationToken cancellationToken = default)
    {
        if (_writer is { HasBegun: true })
        {
            throw new NotSupportedException($"{Path}: the image was written since it was opened, so that its bitmaps are changing; read them before.");
        }

        BitmapDirectoryEntry entry = BitmapCopier.FindUsable(this, name);
        var ranges = new List<DiskRange>();
        foreach ((long offset, long length) in OpenBitmap(entry).DirtyRanges(entry.GranularityBits))
        {
            cancellationToken.ThrowIfCancellationRequested();
            ranges.Add(new DiskRange(offset, length));
        }

        return ranges;
    }

    /// <summary>Adds copies of another image's bitmaps, all of them or none.</summary>
    internal void AddBitmaps(Qcow2Image source, IReadOnlyList<BitmapDirectoryEntry> originals, CancellationToken cancellationToken)
        => EditBitmaps(bitmaps => bitmaps.Add(originals, source.OpenBitmap, cancellationToken));

    private BitmapContent OpenBitmap(BitmapDirectoryEntry entry)
    {
        try
        {
            return new BitmapContent(_resources.Image, Header, entry);
        }
        catch (Qcow2Exception e)
        {
            e.At(Path); // Or it would be taken for damage of the image that gets the bitmap.
            throw;
        }
    }

    private void EditBitmaps(Action<BitmapStore> edit)
    {
        if (_writer is null)
        {
            throw new NotSupportedException($"{Path}: the image is open for reading only.");
        }

        try
        {
            _writer.EditBitmaps(edit);
        }
        catch (Qcow2Exception e)
        {
            e.At(Path);
            throw;
        }
    }
}
