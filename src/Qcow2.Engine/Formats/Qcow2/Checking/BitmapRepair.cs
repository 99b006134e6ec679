using System.Buffers.Binary;
using Qcow2.Engine.Errors;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Bitmaps;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>
/// Removes bitmaps that can be of no use: those that were not saved, and those of which a table or the bits cannot be read or lie
/// where something else lies. The others stay. No data of the disk is lost by that, and a backup that does without a bitmap copies
/// too much at worst.
/// </summary>
internal sealed class BitmapRepair(ImageAudit audit, RepairReport report, Action beforeWrite)
{
    private const int SectorSize = 512;

    private readonly AuditContext _context = audit.Context!;

    /// <summary>Removes them.</summary>
    /// <returns>Whether anything was written.</returns>
    internal bool Run()
    {
        if (!_context.HasDamagedBitmaps && !_context.HasInconsistentBitmaps)
        {
            return false;
        }

        IReadOnlyList<BitmapDirectoryEntry> bitmaps;
        try
        {
            bitmaps = BitmapDirectory.Load(_context.Image, _context.Header);
        }
        catch (Qcow2Exception e)
        {
            Note($"All bitmaps were removed: {e.Message}");
            return Withdraw();
        }

        var kept = new List<BitmapDirectoryEntry>();
        foreach (BitmapDirectoryEntry bitmap in bitmaps)
        {
            if (ProblemOf(bitmap) is string problem)
            {
                Note($"The bitmap '{PrintableText.Of(bitmap.Name)}' was removed: {problem}");
            }
            else
            {
                kept.Add(bitmap);
            }
        }

        if (kept.Count == bitmaps.Count)
        {
            return false;
        }

        return kept.Count == 0 || DataPosition() is not int position ? Withdraw() : Replace(kept, position);
    }

    private string? ProblemOf(BitmapDirectoryEntry bitmap)
    {
        long length = (long)bitmap.TableSize * BitmapTableEntry.Length;
        if ((bitmap.Flags & BitmapFlags.InUse) != 0)
        {
            return "it was not saved when the image was last closed, so that what it says is outdated.";
        }

        if (!_context.IsInFile(bitmap.TableOffset, length))
        {
            return "its table is not in the file.";
        }

        if (length > 0 && _context.IsShared(bitmap.TableOffset, length, 1))
        {
            return "something else lies where its table lies.";
        }

        ulong[] table = new ulong[bitmap.TableSize];
        BigEndianTable.Read(_context.Image, bitmap.TableOffset, table);
        foreach (ulong value in table)
        {
            var entry = new BitmapTableEntry(value);
            if (entry.ReservedBits != 0 || !_context.Geometry.IsClusterAligned(entry.Offset)
                || (entry.IsUsed && !_context.IsInFile(entry.Offset, _context.Geometry.ClusterSize)))
            {
                return "its table is damaged.";
            }

            if (entry.IsUsed && _context.IsShared(entry.Offset, _context.Geometry.ClusterSize, 1))
            {
                return "something else lies where its bits lie.";
            }
        }

        return null;
    }

    /// <summary>Makes the header lead to a directory of what is left.</summary>
    private bool Replace(List<BitmapDirectoryEntry> bitmaps, int position)
    {
        long length = bitmaps.Sum(bitmap => (long)bitmap.TotalLength);
        long clusters = (length + _context.Geometry.ClusterSize - 1) >> _context.Geometry.ClusterBits;
        if (!_context.FoundAll || RepairSpace.Take(_context, clusters) is not RepairSpace space)
        {
            report.Withdraw();
            return false;
        }

        byte[] directory = new byte[clusters << _context.Geometry.ClusterBits];
        int done = 0;
        foreach (BitmapDirectoryEntry bitmap in bitmaps)
        {
            bitmap.Write(directory.AsSpan(done));
            done += bitmap.TotalLength;
        }

        beforeWrite();
        _context.Image.Write(space.Offset, directory);
        space.Commit();
        bool isTorn = position % SectorSize > SectorSize - BitmapsExtension.DataLength;
        if (isTorn)
        {
            // The pointer lies in two sectors: while it changes, it counts as stale.
            SetAutoclearBit(false);
        }

        _context.Image.Write(position, new BitmapsExtension(bitmaps.Count, length, space.Offset).Bytes);
        _context.Image.Flush();
        if (isTorn)
        {
            SetAutoclearBit(true);
        }

        report.Settle();
        return true;
    }

    /// <summary>Withdraws all bitmaps: without its autoclear bit, what the extension says counts as stale.</summary>
    private bool Withdraw()
    {
        beforeWrite();
        SetAutoclearBit(false);
        report.Settle();
        return true;
    }

    private void SetAutoclearBit(bool value)
    {
        Span<byte> field = stackalloc byte[sizeof(ulong)];
        _context.Image.ReadZeroPadded(HeaderField.AutoclearFeatures, field);
        ulong features = BinaryPrimitives.ReadUInt64BigEndian(field);
        features = value ? features | (ulong)AutoclearFeatures.Bitmaps : features & ~(ulong)AutoclearFeatures.Bitmaps;
        BinaryPrimitives.WriteUInt64BigEndian(field, features);
        _context.Image.Write(HeaderField.AutoclearFeatures, field);
        _context.Image.Flush();
    }

    /// <summary>Where the data of the header's extension lies that counts: the last of them. Null if there is none.</summary>
    private int? DataPosition()
    {
        int position = _context.Header.HeaderLength;
        int? last = null;
        foreach (HeaderExtension extension in _context.Header.Extensions)
        {
            last = extension is BitmapsExtension ? position + HeaderExtension.PrefixLength : last;
            position += extension.TotalLength;
        }

        return last;
    }

    private void Note(string message) => report.Add(Qcow2CheckFindingKind.BitmapDamaged, HeaderField.AutoclearFeatures, "Bitmaps", message);
}
