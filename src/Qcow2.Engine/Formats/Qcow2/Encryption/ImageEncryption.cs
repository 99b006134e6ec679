using Qcow2.Engine.Disks.Encryption;
using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>Finds an image's encryption header and unlocks it.</summary>
internal static class ImageEncryption
{
    /// <summary>Where the LUKS header of an image lies.</summary>
    /// <returns>Null if the image is not encrypted with LUKS.</returns>
    /// <exception cref="Qcow2Exception">It is, but does not say where.</exception>
    internal static EncryptionHeaderExtension? FindLuksHeader(Qcow2Header header)
    {
        if (header.EncryptionMethod != EncryptionMethod.Luks)
        {
            return null;
        }

        EncryptionHeaderExtension extension = header.Extension<EncryptionHeaderExtension>() ?? throw Qcow2Errors.Corrupt(EncryptionHeaderExtension.Missing);
        extension.EnsureSound();
        return header.Geometry.IsClusterAligned(extension.Offset)
            ? extension
            : throw Qcow2Errors.Misaligned("The encryption header's offset", (ulong)extension.Offset, header.ClusterSize);
    }

    /// <summary>Fails if no passphrase would help, because nobody knows where the keys lie.</summary>
    /// <exception cref="Qcow2Exception">The image is encrypted with LUKS, and does not say where its LUKS header lies.</exception>
    internal static void EnsureCanBeUnlocked(Qcow2Header header, BlockStorage image)
    {
        try
        {
            FindLuksHeader(header);
        }
        catch (Qcow2Exception e)
        {
            e.At(image.Path);
            throw;
        }
    }

    /// <summary>Reads the LUKS header of an image.</summary>
    /// <returns>Null if the image is not encrypted with LUKS.</returns>
    /// <exception cref="Qcow2Exception">The LUKS header is damaged or does not lie inside the file.</exception>
    internal static LuksHeader? ReadLuksHeader(BlockStorage image, Qcow2Header header)
    {
        if (FindLuksHeader(header) is not { } extension)
        {
            return null;
        }

        long fileLength = image.Length;
        if (extension.Offset > fileLength - extension.HeaderLength)
        {
            throw Qcow2Errors.PastEnd("The LUKS header", (ulong)extension.Offset, (ulong)extension.HeaderLength, fileLength);
        }

        byte[] bytes = new byte[LuksHeader.Size];
        image.ReadZeroPadded(extension.Offset, bytes);
        return LuksHeader.Parse(bytes, extension.HeaderLength);
    }

    /// <summary>Makes the cipher of an image.</summary>
    /// <returns>Null if the image is not encrypted or no passphrase was given.</returns>
    /// <exception cref="Qcow2Exception">The passphrase opens no key slot, or the LUKS header is damaged.</exception>
    internal static SectorCipher? Unlock(BlockStorage image, Qcow2Header header, Passphrase? passphrase, CancellationToken cancellationToken)
    {
        if (passphrase is null || header.EncryptionMethod == EncryptionMethod.None)
        {
            return null;
        }

        if (ReadLuksHeader(image, header) is not LuksHeader luks)
        {
            return LegacyAesCipher.Create(passphrase);
        }

        long start = header.Extension<EncryptionHeaderExtension>()!.Offset;
        return LuksUnlocker.Unlock(luks, (offset, buffer) => image.ReadZeroPadded(start + offset, buffer), passphrase, cancellationToken);
    }
}
