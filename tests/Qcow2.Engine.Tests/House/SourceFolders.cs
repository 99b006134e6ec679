using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

namespace Qcow2.Engine.Tests.House;

/// <summary>The folder of the engine that each of its types is written in, as the debug information says, which lies in the assembly itself.</summary>
/// <remarks>Namespaces would not do: public types keep theirs wherever they lie.</remarks>
internal static class SourceFolders
{
    /// <summary>"TypeDefinitionDocuments" of the Portable PDB format: the file of a type that has no code.</summary>
    private static readonly Guid TypeDocuments = new("932E74BC-DBA9-4478-8D46-0F32A7BAB3D3");

    /// <summary>Reads the folders, as paths below the project's folder with slashes.</summary>
    internal static IReadOnlyDictionary<Type, string> Of(Assembly assembly)
    {
        using var image = new PEReader(File.OpenRead(assembly.Location));
        MetadataReader types = image.GetMetadataReader();
        DebugDirectoryEntry entry = image.ReadDebugDirectory().Single(one => one.Type == DebugDirectoryEntryType.EmbeddedPortablePdb);
        using MetadataReaderProvider provider = image.ReadEmbeddedPortablePdbDebugDirectoryData(entry);
        MetadataReader debug = provider.GetMetadataReader();
        var folders = new Dictionary<Type, string>();
        foreach (TypeDefinitionHandle handle in types.TypeDefinitions.Skip(1)) // The first stands for the module.
        {
            Type type = assembly.ManifestModule.ResolveType(MetadataTokens.GetToken(handle));
            if (type.DeclaringType is null && DocumentOf(types, debug, handle) is string file)
            {
                folders[type] = FolderOf(file, assembly.GetName().Name!);
            }
        }

        return folders;
    }

    private static string? DocumentOf(MetadataReader types, MetadataReader debug, TypeDefinitionHandle handle)
    {
        foreach (MethodDefinitionHandle method in types.GetTypeDefinition(handle).GetMethods())
        {
            MethodDebugInformation information = debug.GetMethodDebugInformation(method);
            if (!information.Document.IsNil)
            {
                return Name(debug, information.Document);
            }
        }

        foreach (CustomDebugInformationHandle custom in debug.GetCustomDebugInformation(handle))
        {
            CustomDebugInformation information = debug.GetCustomDebugInformation(custom);
            if (debug.GetGuid(information.Kind) == TypeDocuments)
            {
                BlobReader documents = debug.GetBlobReader(information.Value);
                return Name(debug, MetadataTokens.DocumentHandle(documents.ReadCompressedInteger()));
            }
        }

        // A type whose only code are iterators: that lies in types within it.
        return types.GetTypeDefinition(handle).GetNestedTypes().Select(nested => DocumentOf(types, debug, nested)).FirstOrDefault(file => file is not null);
    }

    private static string Name(MetadataReader debug, DocumentHandle document) => debug.GetString(debug.GetDocument(document).Name).Replace('\\', '/');

    private static string FolderOf(string file, string project)
    {
        string marker = $"/{project}/";
        int start = file.LastIndexOf(marker, StringComparison.Ordinal) + marker.Length;
        int end = file.LastIndexOf('/');
        return end < start ? "" : file[start..end];
    }
}
