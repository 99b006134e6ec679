using System.Text;

namespace Qcow2.Engine.Tests.Packed;

/// <summary>OVA files made by hand.</summary>
internal static class OvaSamples
{
    /// <summary>An OVF descriptor of disks.</summary>
    internal static string Descriptor(params string[] files)
    {
        string references = string.Concat(files.Select((file, i) => $"<File ovf:id=\"file{i}\" ovf:href=\"{System.Security.SecurityElement.Escape(file)}\" ovf:size=\"1\"/>"));
        string disks = string.Concat(files.Select((_, i) => $"<Disk ovf:diskId=\"disk{i}\" ovf:fileRef=\"file{i}\" ovf:capacity=\"1\" ovf:capacityAllocationUnits=\"byte * 2^20\"/>"));
        return "<?xml version=\"1.0\"?><Envelope xmlns=\"http://schemas.dmtf.org/ovf/envelope/1\" xmlns:ovf=\"http://schemas.dmtf.org/ovf/envelope/1\">"
            + $"<References>{references}</References><DiskSection><Info>x</Info>{disks}<Disk ovf:diskId=\"empty\" ovf:capacity=\"1\"/></DiskSection></Envelope>";
    }

    /// <summary>An archive, as ustar.</summary>
    internal static byte[] Tar(params (string Name, byte[] Content)[] files)
    {
        var archive = new MemoryStream();
        foreach ((string name, byte[] content) in files)
        {
            byte[] header = new byte[512];
            Encoding.UTF8.GetBytes(name).CopyTo(header, 0);
            Encoding.ASCII.GetBytes(Convert.ToString(content.Length, 8).PadLeft(11, '0')).CopyTo(header, 124);
            header[156] = (byte)'0';
            "ustar\000"u8.ToArray().CopyTo(header, 257);
            SetSum(header);
            archive.Write(header, 0, header.Length);
            archive.Write(content, 0, content.Length);
            archive.SetLength((archive.Length + 511) / 512 * 512);
            archive.Position = archive.Length;
        }

        archive.SetLength(archive.Length + 1024);
        return archive.ToArray();
    }

    /// <summary>Gives the header at the start of an archive the sum that it must have.</summary>
    internal static void SetSum(byte[] header)
    {
        Encoding.ASCII.GetBytes("        ").CopyTo(header, 148);
        int sum = header.Take(512).Sum(value => value);
        Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ").CopyTo(header, 148);
    }
}
