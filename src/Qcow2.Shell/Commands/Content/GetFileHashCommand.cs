using System.Management.Automation;
using System.Security.Cryptography;
using Qcow2.Shell.Commands.Items;

namespace Qcow2.Shell.Commands.Content;

/// <summary>Get-FileHash: the hash of a file.</summary>
[Cmdlet(VerbsCommon.Get, "FileHash", DefaultParameterSetName = "Path")]
internal sealed class GetFileHashCommand : PathCommand
{
    [Parameter]
    [ValidateSet("SHA1", "SHA256", "SHA384", "SHA512", "MD5")]
    public string Algorithm { get; set; } = "SHA256";

    private protected override void Process(string path)
    {
        foreach (string file in FilesOf(path))
        {
            using IncrementalHash hash = IncrementalHash.CreateHash(new HashAlgorithmName(Algorithm.ToUpperInvariant()));
            using FileStream stream = File.OpenRead(file);
            byte[] buffer = new byte[1 << 20];
            for (int n = stream.Read(buffer); n > 0 && !Stopping; n = stream.Read(buffer))
            {
                hash.AppendData(buffer, 0, n);
            }

            WriteObject(EngineViews.Describe(
                "Microsoft.PowerShell.Commands.FileHashInfo",
                ("Algorithm", Algorithm),
                ("Hash", Convert.ToHexString(hash.GetHashAndReset())),
                ("Path", file)));
        }
    }
}
